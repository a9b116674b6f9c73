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

/** One session per distribution: its messages are handled one at a time, whatever the number of instances. */
export function sessionIdOf({ mount, key, provider }: DistributionReference): string {
  return createHash('sha256')
    .update(JSON.stringify([mount, key, provider]))
    .digest('hex')
    .slice(0, 32);
}

/** The same wake-up sent twice is dropped by the queue's duplicate detection. */
export function messageIdOf(reference: DistributionReference, stamp: string): string {
  return `${sessionIdOf(reference)}.${stamp}`;
}
