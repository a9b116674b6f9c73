import { graceTime } from '../reconcile/intents.ts';
import type { Reminder, ReminderStore } from '../state/reminders.ts';
import type { SecretReference } from '../state/secret-records.ts';
import type { SecretState, SecretWrite } from '../state/secrets.ts';
import type { Commit, CommitSteps } from './commit.ts';
import type { Listing } from './listing.ts';
import { comingEnds } from './versions.ts';

export type Update = <T>(reference: SecretReference, decide: CommitSteps<T>['decide']) => Promise<T>;

export interface UpdateOptions {
  commit: Commit;
  list: Listing;
  reminders: ReminderStore;
  now: () => Date;
}

/**
 * Commits a change with what it entails: folders that list what exists, and reminders of the times at which versions
 * end. A secret that comes or goes has a reminder too, taken back when its folders agree: should this process not live
 * to see to that, the sweep will.
 */
export function createUpdate({ commit, list, reminders, now }: UpdateOptions): Update {
  return async (reference, decide) => {
    let unlisted: Reminder | undefined;
    let exists = false;

    async function prepare(state: SecretState | undefined, { record, change }: SecretWrite): Promise<void> {
      exists = record !== undefined;
      if ((state?.record !== undefined) !== exists) {
        unlisted ??= await reminders.put(reference, graceTime(now()));
      }
      const known = comingEnds(state?.record, change.time);
      for (const end of comingEnds(record, change.time)) {
        if (!known.has(end)) await reminders.put(reference, new Date(end));
      }
    }

    const result = await commit(reference, { decide, prepare });
    if (unlisted !== undefined) {
      await list(reference, exists);
      await reminders.remove(unlisted);
    }
    return result;
  };
}
