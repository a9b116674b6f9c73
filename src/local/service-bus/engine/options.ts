/** A queue with Service Bus' property names in the units of the names, and Service Bus' defaults and limits. */
export interface QueueOptions {
  name: string;
  requiresSession?: boolean;
  /** 60 unless given, at most 300. Fractions are allowed here, so that tests can be quick. */
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

export interface TopicOptions extends Pick<
  QueueOptions,
  | 'name'
  | 'requiresDuplicateDetection'
  | 'duplicateDetectionHistoryTimeWindowSeconds'
  | 'defaultMessageTimeToLiveSeconds'
  | 'maxMessageSizeBytes'
> {
  subscriptions: readonly SubscriptionOptions[];
}

export interface SubscriptionOptions extends Pick<
  QueueOptions,
  | 'name'
  | 'requiresSession'
  | 'lockDurationSeconds'
  | 'maxDeliveryCount'
  | 'defaultMessageTimeToLiveSeconds'
  | 'deadLetteringOnMessageExpiration'
> {
  /** Only messages that match in everything given arrive; absent: all do. */
  correlationFilter?: CorrelationFilter;
}

/** A rule by equality, with the client's names of properties. */
export interface CorrelationFilter {
  correlationId?: string;
  messageId?: string;
  to?: string;
  replyTo?: string;
  subject?: string;
  sessionId?: string;
  replyToSessionId?: string;
  contentType?: string;
  applicationProperties?: Readonly<Record<string, string | number | boolean>>;
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
  isDeadLetterQueue: boolean;
}

export const standardTierMessageSizeBytes = 256 * 1024;

const validName = /^[A-Za-z0-9_](?:[\w./-]*[A-Za-z0-9_])?$/;
const longestName = 260;
const longestLockSeconds = 300;

/** @throws RangeError if Service Bus would not create such a queue */
export function queueSettings(options: QueueOptions): QueueSettings {
  const lockDurationSeconds = options.lockDurationSeconds ?? 60;
  const maxDeliveryCount = options.maxDeliveryCount ?? 10;
  const windowSeconds = options.duplicateDetectionHistoryTimeWindowSeconds ?? 600;
  if (!validName.test(options.name) || options.name.length > longestName)
    throw new RangeError(`'${options.name}' is no name for an entity.`);
  if (!(lockDurationSeconds > 0 && lockDurationSeconds <= longestLockSeconds)) {
    throw new RangeError(`lockDurationSeconds must be above 0 and at most ${longestLockSeconds}.`);
  }
  if (!(Number.isInteger(maxDeliveryCount) && maxDeliveryCount >= 1))
    throw new RangeError('maxDeliveryCount must be at least 1.');
  return {
    name: options.name,
    requiresSession: options.requiresSession ?? false,
    lockDurationMilliseconds: lockDurationSeconds * 1000,
    maxDeliveryCount,
    duplicateWindowMilliseconds: options.requiresDuplicateDetection === true ? windowSeconds * 1000 : undefined,
    timeToLiveMilliseconds: (options.defaultMessageTimeToLiveSeconds ?? Infinity) * 1000,
    deadLetteringOnMessageExpiration: options.deadLetteringOnMessageExpiration ?? false,
    maxMessageSizeBytes: options.maxMessageSizeBytes ?? standardTierMessageSizeBytes,
    isDeadLetterQueue: false,
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
    isDeadLetterQueue: true,
  };
}
