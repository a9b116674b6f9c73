import type { SecretEngineConfig } from '../state/secret-records.ts';
import type { State } from '../state/index.ts';
import { createSecrets, type Secrets } from './secrets.ts';

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
}

export interface KeyValueOptions {
  state: Pick<State, 'secrets' | 'folders' | 'intents'>;
  now: () => Date;
}

export function createKeyValue({ state, now }: KeyValueOptions): KeyValue {
  const secrets = createSecrets({ ...state, now });

  async function removeBelow(mount: string, folder: string): Promise<void> {
    const prefix = folder === '' ? '' : `${folder}/`;
    for (const name of await secrets.list(mount, folder)) {
      if (name.endsWith('/')) await removeBelow(mount, prefix + name.slice(0, -1));
      else await secrets.deleteMetadata({ mount, path: prefix + name });
    }
  }

  return {
    secrets,
    config: {
      read: (mount) => state.secrets.readConfig(mount),
      async write(mount, fields) {
        if (Object.keys(fields).length === 0) return;
        await state.secrets.writeConfig(mount, { ...(await state.secrets.readConfig(mount)), ...fields });
      },
    },
    removeAll: (mount) => removeBelow(mount, ''),
  };
}
