import { KeyfleetError } from '../errors.ts';
import type { Messaging } from '../messaging/index.ts';
import type { Intent, IntentStore, Subject } from '../state/intents.ts';
import type { DistributionState, KeyState } from '../state/key-records.ts';

export type DistributionSubject = Extract<Subject, { kind: 'distribution' }>;

/** Whoever made an intent has this long to see to it before the timer does. */
const graceSeconds = 60;

const longestDelaySeconds = 3600;

/** A process may sleep between announcing a change and making it, but no function runs longer (host.json). */
const longestSleepSeconds = 11 * 60;

/** When the timer may take an interest in work that is being seen to since `now`. */
export function graceTime(now: Date): Date {
  return new Date(now.getTime() + graceSeconds * 1000);
}

/** When a subject that failed `attempts` times is worth another try: 1, 2, 4 ... times `firstSeconds`, at most an hour. */
export function retryTime(now: Date, attempts: number, firstSeconds: number): Date {
  const seconds = Math.min(firstSeconds * 2 ** Math.max(0, attempts - 1), longestDelaySeconds);
  return new Date(now.getTime() + seconds * 1000);
}

/** Whether the request that announced the work is probably still waiting for it. */
export function isAwaited(intent: Intent | undefined, now: Date, waitSeconds: number): boolean {
  if (intent?.announced === undefined || intent.attempts > 0) return false;
  return now.getTime() - intent.announced.time.getTime() < waitSeconds * 1000;
}

/** What a change of the key itself is guarded by, its versions and the adding of distributions included. */
export function guardOfKey({ key }: KeyState): string {
  return `key ${key.etag}`;
}

export function guardOfDistribution({ etag }: DistributionState['distribution']): string {
  return `distribution ${etag}`;
}

/** When whoever announced the change can't make it any more. */
export function endOfSleep({ announced }: Intent): Date {
  return new Date((announced?.time.getTime() ?? -Infinity) + longestSleepSeconds * 1000);
}

/** Whether the change that was announced may yet come, from a process that sleeps, so that the intent has to stay. */
export function mayYetCome(
  intent: Intent | undefined,
  { state, distribution }: { state: KeyState | undefined; distribution: DistributionState | undefined },
  now: Date,
): boolean {
  if (intent?.announced === undefined || endOfSleep(intent) <= now) return false;
  const { guard } = intent.announced;
  return (
    (state !== undefined && guard === guardOfKey(state)) ||
    (distribution !== undefined && guard === guardOfDistribution(distribution.distribution))
  );
}

export interface Announcer {
  /**
   * To be called before a change: whatever happens to this process afterwards, the timer will look at the subject.
   * @param guard of the change, from {@link guardOfKey} or {@link guardOfDistribution}, where there is one
   * @returns the stamp to wake with
   */
  announce(subject: Subject, guard?: string): Promise<string>;
  /** To be called after a change that is complete by itself. */
  withdraw(subject: Subject, stamp: string): Promise<void>;
  /** To be called after a change that a vault has to follow. @returns false if nobody could be woken; the timer does it later */
  wake(subject: DistributionSubject, stamp: string): Promise<boolean>;
}

export function createAnnouncer({
  intents,
  messaging,
  now,
}: {
  intents: IntentStore;
  messaging: Messaging;
  now: () => Date;
}): Announcer {
  return {
    announce: (subject, guard = '') =>
      intents.put(subject, { dueTime: graceTime(now()), attempts: 0, announced: { time: now(), guard } }),
    async withdraw(subject, stamp) {
      const intent = await intents.read(subject);
      if (intent?.stamp === stamp && (await intents.remove(intent))) return;
      // Somebody else was at the same subject: whoever wrote last may have known less.
      await intents.put(subject, { dueTime: graceTime(now()), attempts: 0 });
    },
    async wake(subject, stamp) {
      try {
        await messaging.wake(subject, stamp);
        return true;
      } catch (error) {
        if (error instanceof KeyfleetError) return false;
        throw error;
      }
    },
  };
}
