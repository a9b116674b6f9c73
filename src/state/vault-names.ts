import type { Table } from './table.ts';

/**
 * The names that keys were ever given in vaults, whatever the mount: two keys under one name would be one key to the
 * vault, and the name of a deleted key stays taken until it is purged.
 */
export interface VaultNames {
  /** Takes the name for good. @returns false if it was taken before */
  claim(keyCollection: string, kmsName: string): Promise<boolean>;
}

export function createVaultNames(table: Table): VaultNames {
  return {
    // Case makes no difference to a vault.
    claim: (keyCollection, kmsName) =>
      table.transact(keyCollection.toLowerCase(), [{ kind: 'insert', row: kmsName.toLowerCase(), properties: {} }]),
  };
}
