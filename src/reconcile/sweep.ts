import { eachAtMost } from '../each-at-most.ts';
import type { Messaging } from '../messaging/index.ts';
import {
  mostRescheduledAtOnce,
  type Intent,
  type IntentRange,
  type IntentStore,
  type Rescheduling,
  type Subject,
} from '../state/intents.ts';
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

type IntentOf<Kind extends Subject['kind']> = Intent & { subject: Extract<Subject, { kind: Kind }> };

/** The timer's next run goes on after so long: it comes every minute. */
const timeBoxSeconds = 50;

const atOnce = 16;

/** A room that fails, fails for all: these say why. */
const mostErrors = 100;

/**
 * Finds the work that nobody was woken for: each intent that is due is woken again, or seen to if it concerns nothing
 * but our own state. Costs as much as there are open intents, and there are few most of the time. Where there are more
 * than there is time for, the next run goes on where this one stopped, so that each gets its turn.
 *
 * @returns a function that throws AggregateError if some could not be seen to; they get their next turn
 */
export function createSweep({ intents, messaging, visits, now }: SweepOptions): () => Promise<void> {
  /** @returns what went wrong */
  async function wakeAll(due: readonly IntentOf<'distribution'>[]): Promise<unknown[]> {
    if (due.length === 0) return [];
    const changes = due.map(putOff);
    const stamps = await intents.rescheduleAll(changes);
    // Somebody was at one of them since it was read: each for itself, then.
    if (stamps === undefined) return eachAtMost(atOnce, due, wakeOne);
    return eachAtMost(atOnce, [...due.keys()], async (index) => {
      const subject = due[index]?.subject;
      const stamp = stamps[index];
      if (subject !== undefined && stamp !== undefined) await messaging.wake(subject, stamp);
    });
  }

  async function wakeOne(intent: IntentOf<'distribution'>): Promise<void> {
    const stamp = await intents.reschedule(intent, putOff(intent).work);
    if (stamp !== undefined) await messaging.wake(intent.subject, stamp);
  }

  function putOff(intent: Intent): Rescheduling {
    const { attempts, announced } = intent;
    const work = { dueTime: graceTime(now()), attempts: Math.max(1, attempts), ...(announced && { announced }) };
    return { intent, work };
  }

  async function visit(intent: IntentOf<'key' | 'provider'>): Promise<void> {
    const { subject, attempts, announced } = intent;
    const wished = await (subject.kind === 'key' ? visits.key(subject) : visits.provider(subject));
    // Whoever announced a change may sleep, and make it after this.
    const dueTime = wished ?? (endOfSleep(intent) > now() ? endOfSleep(intent) : undefined);
    if (dueTime !== undefined) await intents.reschedule(intent, { dueTime, attempts, ...(announced && { announced }) });
    // Somebody was at the same subject meanwhile: what was found may be true no more.
    else if (!(await intents.remove(intent))) await intents.put(subject, { dueTime: graceTime(now()), attempts: 0 });
  }

  async function seeTo(due: readonly Intent[]): Promise<unknown[]> {
    const woken = await wakeAll(due.filter(isDistribution)).catch((error: unknown) => [error]);
    return [...woken, ...(await eachAtMost(atOnce, due.filter(isOwnState), visit))];
  }

  return async () => {
    const until = new Date(now().getTime() + timeBoxSeconds * 1000);
    const errors: unknown[] = [];
    const first = await intents.readPlace();
    let kept = first;

    async function keep(place: Subject | undefined): Promise<void> {
      if (place !== kept) await intents.writePlace(place);
      kept = place;
    }

    /** @returns whether there was time for all of them */
    async function sweep(range: IntentRange): Promise<boolean> {
      let place = range.after;
      for await (const page of intents.pages(range)) {
        // A process that dies here doesn't begin anew forever.
        await keep(place);
        const due = page.filter(({ dueTime }) => dueTime <= now());
        for (let start = 0; start < due.length; start += mostRescheduledAtOnce) {
          if (now() >= until) {
            await keep(place);
            return false;
          }
          const group = due.slice(start, start + mostRescheduledAtOnce);
          errors.push(...(await seeTo(group)).slice(0, mostErrors - errors.length));
          place = group.at(-1)?.subject;
        }
        if (due.length > 0) place = page.at(-1)?.subject;
      }
      return true;
    }

    if ((await sweep({ after: first })) && (first === undefined || (await sweep({ upTo: first })))) {
      await keep(undefined);
    }
    if (errors.length > 0) throw new AggregateError(errors, 'not all intents that are due could be seen to');
  };
}

function isDistribution(intent: Intent): intent is IntentOf<'distribution'> {
  return intent.subject.kind === 'distribution';
}

function isOwnState(intent: Intent): intent is IntentOf<'key' | 'provider'> {
  return !isDistribution(intent);
}
