import { randomUUID } from 'node:crypto';
import { createRootKey } from '../key-vault/root-key.ts';
import { azureTables, createState } from '../state/index.ts';
import type { Platform } from './platform/index.ts';

/**
 * Stores the platform's root token, the way the service itself stores tokens: to the service it is one like any other.
 */
export async function seedRootToken({ settings, serviceCredential, rootToken }: Platform): Promise<void> {
  const now = () => new Date();
  const { tokens } = createState({
    openTable: azureTables({ endpoint: setting('KEYFLEET_TABLES_ENDPOINT'), credential: serviceCredential }),
    rootKey: createRootKey({
      vaultUrl: setting('KEYFLEET_HOME_VAULT_URI'),
      keyName: setting('KEYFLEET_ROOT_KEY_NAME'),
      credential: serviceCredential,
    }),
    now,
  });
  await tokens.put(rootToken, {
    accessor: randomUUID(),
    displayName: 'root',
    policies: ['root'],
    path: 'auth/token/root',
    orphan: true,
    renewable: false,
    meta: null,
    createdTime: now(),
    creationTtlSeconds: 0,
  });

  function setting(name: string): string {
    const value = settings[name];
    if (value === undefined) throw new Error(`the platform has no setting ${name}`);
    return value;
  }
}
