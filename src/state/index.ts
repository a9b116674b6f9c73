import { createAzureTable, type AzureTableOptions } from './azure-table.ts';
import { createCheckReminders, type CheckReminders } from './checks.ts';
import { createDataKeys, type RootKey } from './data-keys.ts';
import { createEncryption } from './encryption.ts';
import { createFolderIndex, type FolderIndex } from './folders.ts';
import { createInstanceStore, type InstanceStore } from './instances.ts';
import { createInspectionStore, type InspectionStore } from './inspections.ts';
import { createIntentStore, type IntentStore } from './intents.ts';
import { createKeyPairStore, type KeyPairStore } from './key-pairs.ts';
import { createKeyStore, type KeyStore } from './keys.ts';
import { createLoginRoleStore, type LoginRoleStore } from './login-roles.ts';
import { createMountStore, type MountStore } from './mounts.ts';
import { createNameIndex, type NameIndex } from './names.ts';
import { createPolicyStore, type PolicyStore } from './policies.ts';
import { createProviderStore, type ProviderStore } from './providers.ts';
import { createReminderStore, type ReminderStore } from './reminders.ts';
import { createSecretStore, type SecretStore } from './secrets.ts';
import type { Table, TableOptions } from './table.ts';
import { createTokenStore, type TokenStore } from './tokens.ts';
import { createVaultNames, type VaultNames } from './vault-names.ts';

export interface State {
  mounts: MountStore;
  tokens: TokenStore;
  policies: PolicyStore;
  loginRoles: LoginRoleStore;
  keys: KeyStore;
  keyPairs: KeyPairStore;
  providers: ProviderStore;
  inspections: InspectionStore;
  checks: CheckReminders;
  names: NameIndex;
  vaultNames: VaultNames;
  secrets: SecretStore;
  folders: FolderIndex;
  reminders: ReminderStore;
  intents: IntentStore;
  instances: InstanceStore;
}

export interface StateOptions {
  /** Opens a table by name. */
  openTable: (name: string, options?: TableOptions) => Table;
  rootKey: RootKey;
  now: () => Date;
}

/** All of the service's state. What is secret in it is sealed before it reaches a table. */
export function createState({ openTable, rootKey, now }: StateOptions): State {
  const encryption = createEncryption(createDataKeys({ table: openTable('datakeys'), rootKey, now }));
  const sealed = (tableName: string, options?: TableOptions) => ({
    table: openTable(tableName, options),
    tableName,
    encryption,
  });
  return {
    mounts: createMountStore(openTable('mounts')),
    tokens: createTokenStore(sealed('tokens')),
    policies: createPolicyStore(openTable('policies')),
    loginRoles: createLoginRoleStore(openTable('loginroles')),
    keys: createKeyStore(sealed('keys')),
    keyPairs: createKeyPairStore(sealed('keypairs', { onlyOnce: true })),
    providers: createProviderStore(sealed('providers')),
    inspections: createInspectionStore(openTable('providers')),
    checks: createCheckReminders(openTable('checks')),
    names: createNameIndex(openTable('names')),
    vaultNames: createVaultNames(openTable('vaultnames')),
    secrets: createSecretStore(sealed('secrets')),
    folders: createFolderIndex(openTable('folders')),
    reminders: createReminderStore(openTable('reminders')),
    intents: createIntentStore(openTable('intents')),
    instances: createInstanceStore(openTable('instances')),
  };
}

/** Opens the tables of one storage account. */
export function azureTables(
  account: Omit<AzureTableOptions, 'name' | keyof TableOptions>,
): (name: string, options?: TableOptions) => Table {
  return (name, options) => createAzureTable({ ...account, ...options, name });
}
