import type { Visit } from '../reconcile/sweep.ts';
import type { FolderIndex } from '../state/folders.ts';
import { repeatUntilWritten } from '../state/repeat.ts';
import type { SecretStore } from '../state/secrets.ts';
import { nextDeletion } from './versions.ts';

export interface AgreementOptions {
  secrets: SecretStore;
  folders: FolderIndex;
  now: () => Date;
}

/**
 * Makes folders and values agree with what exists, where a request was cut short, and notes the deletion of versions whose
 * time is up: readers see it at once, followers of changes need the note.
 */
export function createAgreement({ secrets, folders, now }: AgreementOptions): Visit<'secret'> {
  return ({ mount, path }) => {
    const reference = { mount, path };
    return repeatUntilWritten(async () => {
      const state = await secrets.read(reference);
      await secrets.tidy(reference);
      if (state?.record === undefined) {
        await folders.remove(reference);
        return { dueTime: undefined };
      }
      await folders.add(reference);
      const { record, lastChange } = state;
      const time = now();
      const ended = record.versions.some(
        ({ deletionTime }) => deletionTime !== undefined && deletionTime > lastChange.time && deletionTime <= time,
      );
      if (ended && !(await secrets.write(reference, state, { record, change: 'delete' }, time))) return undefined;
      return { dueTime: nextDeletion(record, time) };
    }).then(({ dueTime }) => dueTime);
  };
}
