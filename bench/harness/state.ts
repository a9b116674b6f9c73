import { createRootKey } from '../../src/key-vault/root-key.ts';
import type { Platform } from '../../src/local/platform/index.ts';
import { azureTables, createState, type State } from '../../src/state/index.ts';

/** The service's own stores, over a platform's tables. */
export function openState({ settings, serviceCredential }: Platform): State {
  const setting = (name: string) => settings[name] ?? '';
  return createState({
    openTable: azureTables({ endpoint: setting('KEYFLEET_TABLES_ENDPOINT'), credential: serviceCredential }),
    rootKey: createRootKey({
      vaultUrl: setting('KEYFLEET_HOME_VAULT_URI'),
      keyName: setting('KEYFLEET_ROOT_KEY_NAME'),
      credential: serviceCredential,
    }),
    now: () => new Date(),
  });
}
