import type { Encryption, Place } from './encryption.ts';
import type { Stored } from './key-records.ts';
import { startingWith, type Table } from './table.ts';

export interface ProviderReference {
  mount: string;
  provider: string;
}

/** What is done about what somebody did to keys in a vault: undo it, say so, or nothing. */
export type DriftPolicy = 'repair' | 'report' | 'ignore';

/** A KMS provider: one Azure Key Vault and how to sign in to it. */
export interface ProviderRecord {
  /** Vault's word for the kind: `azurekeyvault`. */
  kind: string;
  /** Name of the Key Vault. */
  keyCollection: string;
  /** Name of the key in that vault under which keys are transferred. */
  kekName: string;
  createdTime: Date;
  /** By Vault's names; kept sealed. */
  credentials: Record<string, string>;
  /** Absent: `repair`. */
  drift?: DriftPolicy;
  /** Vaults of one subscription and region have common limits; absent: not known. */
  subscriptionId?: string;
  region?: string;
}

/** A key's place with a provider. */
export interface Hold {
  key: string;
  etag: string;
}

/**
 * Providers, and in the same partition a row for each key that is (or is about to be) distributed to them: so a
 * provider can't vanish while a key is on its way.
 */
export interface ProviderStore {
  read(reference: ProviderReference): Promise<Stored<ProviderRecord> | undefined>;
  /** @returns false if a provider of this name exists */
  create(reference: ProviderReference, provider: ProviderRecord): Promise<boolean>;
  /** @returns false if it changed since it was read */
  update(reference: ProviderReference, provider: Stored<ProviderRecord>): Promise<boolean>;
  /** @returns false if it changed since it was read, or holds a key */
  remove(reference: ProviderReference, provider: Stored<ProviderRecord>): Promise<boolean>;
  /** Names of the keys held, in order. */
  listKeys(reference: ProviderReference): Promise<string[]>;
  /** Books a place for a key. @returns false if there is no such provider */
  holdKey(reference: ProviderReference, key: string): Promise<boolean>;
  readHold(reference: ProviderReference, key: string): Promise<Hold | undefined>;
  /** @returns false if the place was booked again since it was read */
  releaseKey(reference: ProviderReference, hold: Hold): Promise<boolean>;
}

export interface ProviderStoreOptions {
  table: Table;
  tableName: string;
  encryption: Encryption;
}

const providerRow = 'provider';
export const heldPrefix = 'key|';
/** How far the looking through the provider's vault got. */
export const passRow = 'inspection';

export const providerPartition = ({ mount, provider }: ProviderReference) => `${mount}|${provider}`;

export function createProviderStore({ table, tableName, encryption }: ProviderStoreOptions): ProviderStore {
  const partitionOf = providerPartition;
  const place = (reference: ProviderReference): Place => ({
    table: tableName,
    partition: partitionOf(reference),
    row: providerRow,
    field: 'credentials',
    version: 0,
  });

  async function properties(reference: ProviderReference, provider: ProviderRecord) {
    const { kind, keyCollection, kekName, createdTime, drift, subscriptionId, region } = provider;
    const plaintext = Buffer.from(JSON.stringify(provider.credentials));
    const credentials = await encryption.seal(place(reference), plaintext);
    plaintext.fill(0);
    return {
      kind,
      keyCollection,
      kekName,
      createdTime,
      credentials,
      ...(drift !== undefined && { drift }),
      ...(subscriptionId !== undefined && { subscriptionId }),
      ...(region !== undefined && { region }),
    };
  }

  async function listKeys(reference: ProviderReference): Promise<string[]> {
    const rows = await table.query(partitionOf(reference), startingWith(heldPrefix));
    return rows.map(({ row }) => row.slice(heldPrefix.length));
  }

  return {
    async read(reference) {
      const entity = await table.get(partitionOf(reference), providerRow);
      if (entity === undefined) return undefined;
      const { credentials, ...rest } = entity.properties as unknown as Omit<ProviderRecord, 'credentials'> & {
        credentials: Uint8Array;
      };
      const plaintext = await encryption.open(place(reference), credentials);
      try {
        return { ...rest, credentials: JSON.parse(plaintext.toString()) as Record<string, string>, etag: entity.etag };
      } finally {
        plaintext.fill(0);
      }
    },

    async create(reference, provider) {
      return table.transact(partitionOf(reference), [
        { kind: 'insert', row: providerRow, properties: await properties(reference, provider) },
      ]);
    },

    async update(reference, provider) {
      return table.transact(partitionOf(reference), [
        { kind: 'replace', row: providerRow, etag: provider.etag, properties: await properties(reference, provider) },
      ]);
    },

    async remove(reference, provider) {
      if ((await listKeys(reference)).length > 0) return false;
      if (!(await table.remove(partitionOf(reference), providerRow, provider.etag))) return false;
      // Refused where nothing was inspected yet. If this is cut short, the row is known by its time to be of no more use.
      await table.transact(partitionOf(reference), [{ kind: 'remove', row: passRow }]);
      return true;
    },

    listKeys,

    holdKey(reference, key) {
      // Touching the provider refuses a removal that saw it without this key, and keeps holders out of each other's way.
      return table.transact(partitionOf(reference), [
        { kind: 'touch', row: providerRow },
        { kind: 'upsert', row: heldPrefix + key, properties: {} },
      ]);
    },

    async readHold(reference, key) {
      const entity = await table.get(partitionOf(reference), heldPrefix + key);
      return entity && { key, etag: entity.etag };
    },

    releaseKey: (reference, { key, etag }) => table.remove(partitionOf(reference), heldPrefix + key, etag),
  };
}
