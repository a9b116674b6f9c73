import type { Announcer, DistributionSubject } from '../reconcile/intents.ts';
import type {
  DistributionRecord,
  DistributionReference,
  DistributionState,
  KeyReference,
  Stored,
} from '../state/key-records.ts';
import type { KeyStore } from '../state/keys.ts';

/** A distribution that was announced, with what to wake it by. */
export interface Announced {
  subject: DistributionSubject;
  stamp: string;
}

/**
 * Announces each distribution before a change that concerns it.
 * @param guard of the change; absent: nothing is going to be written
 */
export function announceAll(
  announcer: Announcer,
  reference: KeyReference,
  distributions: readonly DistributionState[],
  guard?: string,
): Promise<Announced[]> {
  return Promise.all(
    distributions.map(async ({ distribution }) => {
      const subject: DistributionSubject = { kind: 'distribution', ...reference, provider: distribution.provider };
      return { subject, stamp: await announcer.announce(subject, guard) };
    }),
  );
}

/**
 * Wakes the reconciler for each and meanwhile waits for the result. Whether a message could be sent makes no
 * difference to the answer: if nobody was woken, nothing has settled, and that is what the caller is told.
 */
export async function wakeAll<T>(
  announcer: Announcer,
  announced: readonly Announced[],
  wait: () => Promise<T>,
): Promise<T> {
  const waking = Promise.all(announced.map(({ subject, stamp }) => announcer.wake(subject, stamp)));
  const [outcome] = await Promise.allSettled([wait(), waking]);
  if (outcome.status === 'rejected') throw outcome.reason;
  return outcome.value;
}

/** Lets the reconciler try again what a vault refused. */
export async function clearRefusal(keys: KeyStore, reference: DistributionReference): Promise<void> {
  for (;;) {
    const current = await keys.readDistribution(reference);
    if (current?.refusal === undefined) return;
    const { refusal: _refusal, ...rest } = current;
    if (await keys.putDistribution(reference, rest)) return;
  }
}

/** @returns what is to be written to have the vault try again; nothing if it refused nothing */
export function withoutRefusal({ distribution }: DistributionState): Stored<DistributionRecord>[] {
  const { refusal, ...rest } = distribution;
  return refusal === undefined ? [] : [rest];
}
