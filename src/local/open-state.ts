import { createRootKey } from '../key-vault/root-key.ts';
import { azureTables, createState, type State } from '../state/index.ts';
import type { Platform } from './platform/index.ts';

/** The service's own stores, over a platform's tables. */
export function openState({ settings, serviceCredential }: Platform): State {
  const setting = (name: string): string => {
    const value = settings[name];
    if (value === undefined) throw new Error(`the platform has no setting ${name}`);
    return value;
  };
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
