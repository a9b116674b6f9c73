import { graceTime } from '../reconcile/intents.ts';
import type { State } from '../state/index.ts';
import type { SecretEngineConfig, SecretReference } from '../state/secret-records.ts';
import { createCommit } from './commit.ts';
import { eachAtMost } from '../each-at-most.ts';
import { createListing } from './listing.ts';
import { createSecrets, removal, type Secrets } from './secrets.ts';
import { createSecretSweep } from './sweep.ts';
import { createUpdate } from './update.ts';

/** Versioned secrets: Vault's key/value engine, version 2. */
export interface KeyValue {
  secrets: Secrets;
  config: {
    read(mount: string): Promise<SecretEngineConfig>;
    /** Changes what is given; nothing given changes nothing. */
    write(mount: string, fields: Partial<SecretEngineConfig>): Promise<void>;
  };
  /** Deletes every secret of a mount; done again if it failed half-way. */
  removeAll: (mount: string) => Promise<void>;
  /** Sees to what has become due. */
  sweep: () => Promise<void>;
}

export interface KeyValueOptions {
  state: Pick<State, 'secrets' | 'folders' | 'reminders'>;
  now: () => Date;
}

const removalsAtOnce = 32;

export function createKeyValue({ state, now }: KeyValueOptions): KeyValue {
  const { secrets, folders, reminders } = state;
  const commit = createCommit({ secrets, now });
  const list = createListing({ secrets, folders });
  const update = createUpdate({ commit, list, reminders, now });

  async function removeEach(references: readonly SecretReference[]): Promise<void> {
    const remove = (reference: SecretReference) => commit(reference, { decide: async (state) => removal(state) });
    const errors = await eachAtMost(removalsAtOnce, references, remove);
    if (errors.length > 0) throw errors[0];
  }

  /** Folders are emptied last, so that another try finds what is left. */
  async function removeBelow(mount: string, folder: string): Promise<void> {
    const prefix = folder === '' ? '' : `${folder}/`;
    const names = await folders.list(mount, folder);
    for (const name of names.filter(isFolder)) await removeBelow(mount, prefix + name.slice(0, -1));
    await removeEach(names.filter((name) => !isFolder(name)).map((name) => ({ mount, path: prefix + name })));
    await folders.clear(mount, folder);
  }

  /** Secrets that no folder lists yet, because the request that made them was cut short. */
  async function removeUnlisted(mount: string): Promise<void> {
    const soon = await reminders.due(graceTime(now()));
    await removeEach(soon.map(({ reference }) => reference).filter((reference) => reference.mount === mount));
  }

  return {
    secrets: createSecrets({ secrets, folders, update, now }),
    config: {
      read: (mount) => secrets.readConfig(mount),
      async write(mount, fields) {
        if (Object.keys(fields).length > 0) await secrets.changeConfig(mount, fields);
      },
    },
    async removeAll(mount) {
      await removeBelow(mount, '');
      await removeUnlisted(mount);
    },
    sweep: createSecretSweep({ update, list, reminders, now }),
  };
}

function isFolder(name: string): boolean {
  return name.endsWith('/');
}
