/** A queue (or subscription) with Service Bus' property names in the units of the names, and Service Bus' defaults. */
export interface QueueOptions {
  name: string;
  requiresSession?: boolean;
  /** 60 unless given. Fractions are allowed here, so that tests can be quick. */
  lockDurationSeconds?: number;
  /** 10 unless given. */
  maxDeliveryCount?: number;
  requiresDuplicateDetection?: boolean;
  /** 600 unless given. */
  duplicateDetectionHistoryTimeWindowSeconds?: number;
  /** Absent: messages live until they are consumed, unless they say otherwise themselves. */
  defaultMessageTimeToLiveSeconds?: number;
  deadLetteringOnMessageExpiration?: boolean;
  /** 262,144 (the Standard tier) unless given. */
  maxMessageSizeBytes?: number;
}

export interface QueueSettings {
  name: string;
  requiresSession: boolean;
  lockDurationMilliseconds: number;
  maxDeliveryCount: number;
  /** Absent: no duplicate detection. */
  duplicateWindowMilliseconds: number | undefined;
  timeToLiveMilliseconds: number;
  deadLetteringOnMessageExpiration: boolean;
  maxMessageSizeBytes: number;
}

export const standardTierMessageSizeBytes = 256 * 1024;

export function queueSettings(options: QueueOptions): QueueSettings {
  const windowSeconds = options.duplicateDetectionHistoryTimeWindowSeconds ?? 600;
  return {
    name: options.name,
    requiresSession: options.requiresSession ?? false,
    lockDurationMilliseconds: (options.lockDurationSeconds ?? 60) * 1000,
    maxDeliveryCount: options.maxDeliveryCount ?? 10,
    duplicateWindowMilliseconds: options.requiresDuplicateDetection === true ? windowSeconds * 1000 : undefined,
    timeToLiveMilliseconds: (options.defaultMessageTimeToLiveSeconds ?? Infinity) * 1000,
    deadLetteringOnMessageExpiration: options.deadLetteringOnMessageExpiration ?? false,
    maxMessageSizeBytes: options.maxMessageSizeBytes ?? standardTierMessageSizeBytes,
  };
}

/** The dead-letter queue of an entity: no sessions, no expiry, no limit of deliveries. */
export function deadLetterSettings(settings: QueueSettings): QueueSettings {
  return {
    ...settings,
    name: `${settings.name}/$DeadLetterQueue`,
    requiresSession: false,
    maxDeliveryCount: Infinity,
    duplicateWindowMilliseconds: undefined,
    timeToLiveMilliseconds: Infinity,
    deadLetteringOnMessageExpiration: false,
  };
}
