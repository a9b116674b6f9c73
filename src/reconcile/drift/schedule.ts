import { createHash } from 'node:crypto';
import type { Messaging } from '../../messaging/index.ts';
import type { CheckReminders } from '../../state/checks.ts';
import type { ProviderReference, ProviderStore } from '../../state/providers.ts';

/** How often every vault is looked through. */
export const lightIntervalSeconds = 15 * 60;

/** How often every version of every key is looked at: a list of keys shows the newest ones alone. */
export const thoroughIntervalSeconds = 24 * 3600;

/** A key of which a read showed every version so shortly before needs no such look. */
export const thoroughlyReadSeconds = thoroughIntervalSeconds / 2;

/** Has each provider's vault looked through in its turn. */
export interface CheckSchedule {
  /** To be called before a provider is created: a reminder of one that isn't is dropped when it is due. */
  begin(reference: ProviderReference): Promise<void>;
  /** To be called once a provider is gone; one that is left over does no harm. */
  end(reference: ProviderReference): Promise<void>;
  /** Asks for the checks that are due. Costs as much as there are due ones. */
  sweep(): Promise<void>;
}

export interface CheckScheduleOptions {
  checks: CheckReminders;
  providers: ProviderStore;
  messaging: Messaging;
  now: () => Date;
}

export function createCheckSchedule({ checks, providers, messaging, now }: CheckScheduleOptions): CheckSchedule {
  const next = (reference: ProviderReference) => ({ reference, time: nextCheckTime(reference, now()) });
  return {
    begin: (reference) => checks.put(next(reference)),
    end: (reference) => checks.remove(next(reference)),

    async sweep() {
      const errors: unknown[] = [];
      for (const reminder of await checks.due(now())) {
        const { reference, time } = reminder;
        try {
          if ((await providers.read(reference)) !== undefined) {
            // The message, then the next reminder, then the end of this one: cut anywhere, it is done again.
            await messaging.check(reference, time.toISOString());
            await checks.put(next(reference));
          }
          await checks.remove(reminder);
        } catch (error) {
          errors.push(error);
        }
      }
      if (errors.length > 0) throw new AggregateError(errors, `${errors.length} checks could not be asked for`);
    },
  };
}

/**
 * The next of a provider's own moments, which lie as far apart as the interval: whoever computes it comes to the same, and
 * vaults don't have theirs all at once.
 */
export function nextCheckTime({ mount, provider }: ProviderReference, now: Date): Date {
  const interval = lightIntervalSeconds * 1000;
  const offset = createHash('sha256').update(`${mount}|${provider}`).digest().readUInt32BE(0) % interval;
  const turns = Math.floor((now.getTime() - offset) / interval) + 1;
  return new Date(turns * interval + offset);
}
