import type { FolderIndex } from '../state/folders.ts';
import { repeatUntilWritten } from '../state/repeat.ts';
import type { SecretReference } from '../state/secret-records.ts';
import type { SecretStore } from '../state/secrets.ts';

/** Makes folders list a secret if it exists, and not if it doesn't. @param exists as far as is known */
export type Listing = (reference: SecretReference, exists: boolean) => Promise<void>;

/**
 * Secret and folders are not written in one transaction, so the secret is looked at once more after its folders were
 * written: of all who do this at the same time, the last one leaves them as they should be.
 */
export function createListing({ secrets, folders }: { secrets: SecretStore; folders: FolderIndex }): Listing {
  return async (reference, exists) => {
    let known = exists;
    await repeatUntilWritten(async () => {
      const listed = known;
      await (listed ? folders.add(reference) : folders.remove(reference));
      known = (await secrets.read(reference))?.record !== undefined;
      return known === listed ? true : undefined;
    });
  };
}
