import { createHash } from 'node:crypto';
import * as z from 'zod';

/** Names one distribution: this key in that provider's vault. */
export interface DistributionReference {
  /** Uuid of the mount. */
  mount: string;
  key: string;
  provider: string;
}

/** The queue that wakes the distribution reconciler. */
export const distributionQueue = 'distribution';

/** What a name can be made of, so that nothing else ever gets as far as a table. */
const name = z.string().regex(/^\w([\w.-]*\w)?$/);

/**
 * What a message says: look at this distribution. It carries no instruction and nothing secret, so that a lost,
 * doubled, late or reordered one can't do harm.
 *
 * The payload sits one level down: the Functions host lets top-level fields of a body overwrite its own metadata.
 */
const wakeUpSchema = z.strictObject({
  wakeUp: z.strictObject({
    mount: name.max(64),
    key: name.max(512),
    provider: name.max(512),
  }),
});

export type WakeUp = z.infer<typeof wakeUpSchema>;

export function encodeWakeUp({ mount, key, provider }: DistributionReference): WakeUp {
  return { wakeUp: { mount, key, provider } };
}

/** @returns undefined for anything that is not one of our messages */
export function decodeWakeUp(body: unknown): DistributionReference | undefined {
  return wakeUpSchema.safeParse(body).data?.wakeUp;
}

/** Names one provider, whose vault is to be looked through. */
export type CheckReference = Omit<DistributionReference, 'key'>;

const checkSchema = z.strictObject({ check: z.strictObject({ mount: name.max(64), provider: name.max(512) }) });

export function encodeCheck({ mount, provider }: CheckReference): z.infer<typeof checkSchema> {
  return { check: { mount, provider } };
}

/** One of our messages: to look at a distribution, or through a vault. */
export type Message =
  { kind: 'distribution'; reference: DistributionReference } | { kind: 'check'; reference: CheckReference };

/** @returns undefined for anything that is not one of our messages */
export function decodeMessage(body: unknown): Message | undefined {
  const reference = decodeWakeUp(body);
  if (reference !== undefined) return { kind: 'distribution', reference };
  const check = checkSchema.safeParse(body).data?.check;
  return check && { kind: 'check', reference: check };
}

/** One session per distribution, and one per vault to look through: its messages are handled one at a time, whatever the number of instances. */
export function sessionIdOf(reference: DistributionReference | CheckReference): string {
  const { mount, provider } = reference;
  const parts = 'key' in reference ? [mount, reference.key, provider] : [mount, provider];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

/** The same wake-up sent twice is dropped by the queue's duplicate detection. */
export function messageIdOf(reference: DistributionReference | CheckReference, stamp: string): string {
  return `${sessionIdOf(reference)}.${stamp}`;
}
