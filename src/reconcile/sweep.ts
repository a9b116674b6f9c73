import type { Messaging } from '../messaging/index.ts';
import type { Intent, IntentStore, Subject } from '../state/intents.ts';
import { endOfSleep, graceTime } from './intents.ts';

/** Sees to an intent that is due. @returns when to look again, or undefined if all is as it should be */
export type Visit<Kind extends Subject['kind']> = (
  subject: Extract<Subject, { kind: Kind }>,
) => Promise<Date | undefined>;

export interface SweepOptions {
  intents: IntentStore;
  messaging: Messaging;
  /** Whose rooms know what agreement means for the other kinds. */
  visits: { [Kind in Exclude<Subject['kind'], 'distribution'>]: Visit<Kind> };
  now: () => Date;
}

/**
 * Finds the work that nobody was woken for: each intent that is due is woken again, or seen to if it concerns nothing
 * but our own state. Costs as much as there are open intents, and there are few most of the time.
 */
export function createSweep({ intents, messaging, visits, now }: SweepOptions): () => Promise<void> {
  async function visit(intent: Intent): Promise<void> {
    const { subject, attempts, announced } = intent;
    if (subject.kind === 'distribution') {
      const again = { dueTime: graceTime(now()), attempts: Math.max(1, attempts), ...(announced && { announced }) };
      const stamp = await intents.reschedule(intent, again);
      if (stamp !== undefined) await messaging.wake(subject, stamp);
      return;
    }
    const wished = await visitOwnState(subject);
    // Whoever announced a change may sleep, and make it after this.
    const dueTime = wished ?? (endOfSleep(intent) > now() ? endOfSleep(intent) : undefined);
    if (dueTime !== undefined) await intents.reschedule(intent, { dueTime, attempts, ...(announced && { announced }) });
    // Somebody was at the same subject meanwhile: what was found may be true no more.
    else if (!(await intents.remove(intent))) await intents.put(subject, { dueTime: graceTime(now()), attempts: 0 });
  }

  function visitOwnState(subject: Exclude<Subject, { kind: 'distribution' }>): Promise<Date | undefined> {
    switch (subject.kind) {
      case 'key':
        return visits.key(subject);
      case 'provider':
        return visits.provider(subject);
    }
  }

  return async () => {
    const due = (await intents.list()).filter(({ dueTime }) => dueTime <= now());
    const errors: unknown[] = [];
    for (const intent of due) {
      await visit(intent).catch((error: unknown) => errors.push(error));
    }
    if (errors.length > 0) {
      throw new AggregateError(errors, `${errors.length} of ${due.length} intents could not be seen to`);
    }
  };
}
