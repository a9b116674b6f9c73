import type { Reminder, ReminderStore } from '../state/reminders.ts';
import { eachAtMost } from '../each-at-most.ts';
import type { Listing } from './listing.ts';
import type { Update } from './update.ts';

export interface SecretSweepOptions {
  update: Update;
  list: Listing;
  reminders: ReminderStore;
  now: () => Date;
}

const atOnce = 16;

/**
 * Sees to the reminders that are due: notes that a version has ended by itself, which readers see at once but followers
 * of changes need the note of, and has folders list what exists, where a request was cut short.
 * @returns a function that throws AggregateError if some could not be seen to; they stay due
 */
export function createSecretSweep({ update, list, reminders, now }: SecretSweepOptions): () => Promise<void> {
  async function see(reminder: Reminder): Promise<void> {
    const { reference, time } = reminder;
    const exists = await update(reference, async (state) => {
      if (state?.record === undefined) return { result: false };
      const { record } = state;
      const ended = record.versions.some(
        ({ destroyed, deletionTime }) => !destroyed && deletionTime?.getTime() === time.getTime(),
      );
      return { result: true, ...(ended && { write: { record, kind: 'delete' } }) };
    });
    await list(reference, exists);
    await reminders.remove(reminder);
  }

  return async () => {
    const due = await reminders.due(now());
    const errors = await eachAtMost(atOnce, due, see);
    if (errors.length > 0) {
      throw new AggregateError(errors, `${errors.length} of ${due.length} reminders could not be seen to`);
    }
  };
}
