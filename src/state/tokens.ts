import { createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { KeyfleetError } from '../errors.ts';
import type { Encryption, Place } from './encryption.ts';
import type { Entity, Properties, Table } from './table.ts';

/** A service token as stored: the token itself is kept only as a keyed hash. */
export interface Token {
  /** Names the token where the token itself must not appear. */
  accessor: string;
  displayName: string;
  policies: readonly string[];
  /** Path of the request that made it, e.g. `auth/token/root`. */
  path: string;
  orphan: boolean;
  renewable: boolean;
  meta: Record<string, string> | null;
  createdTime: Date;
  /** Zero for a token that never expires. */
  creationTtlSeconds: number;
  /** Absent for a token that never expires. */
  expireTime?: Date;
  /** Beyond this no renewal goes; absent where the service's own limit is the only one. */
  maximumExpireTime?: Date;
}

export interface TokenStore {
  /** @returns the token, expired or not, or undefined if it isn't known. */
  find(token: string): Promise<Token | undefined>;
  /** Stores or replaces a token. */
  put(token: string, record: Token): Promise<void>;
  remove(token: string): Promise<void>;
}

export interface TokenStoreOptions {
  table: Table;
  tableName: string;
  encryption: Encryption;
}

const partition = 'tokens';
const hashKeyRow = 'hash-key';

/** Tokens by HMAC-SHA256 of the token, under a key that is itself kept sealed. */
export function createTokenStore({ table, tableName, encryption }: TokenStoreOptions): TokenStore {
  const place: Place = { table: tableName, partition: hashKeyRow, row: hashKeyRow, field: 'key', version: 0 };
  let hashKey: Promise<KeyObject> | undefined;

  function loadedHashKey(): Promise<KeyObject> {
    hashKey ??= loadHashKey().catch((error: unknown) => {
      hashKey = undefined;
      throw error;
    });
    return hashKey;
  }

  async function loadHashKey(): Promise<KeyObject> {
    const stored = (await table.get(hashKeyRow, hashKeyRow)) ?? (await insertHashKey());
    const plaintext = await encryption.open(place, stored.properties.key as Uint8Array);
    try {
      return createSecretKey(plaintext);
    } finally {
      plaintext.fill(0);
    }
  }

  /** Of two instances that start together one inserts, and both read what it inserted. */
  async function insertHashKey(): Promise<Entity> {
    const plaintext = randomBytes(32);
    const key = await encryption.seal(place, plaintext);
    plaintext.fill(0);
    await table.transact(hashKeyRow, [{ kind: 'insert', row: hashKeyRow, properties: { key } }]);
    const stored = await table.get(hashKeyRow, hashKeyRow);
    if (stored === undefined) throw new KeyfleetError('internal', 'the token hash key was not stored');
    return stored;
  }

  async function rowOf(token: string): Promise<string> {
    return createHmac('sha256', await loadedHashKey())
      .update(token)
      .digest('hex');
  }

  return {
    async find(token) {
      const entity = await table.get(partition, await rowOf(token));
      return entity && toToken(entity);
    },
    async put(token, record) {
      await table.transact(partition, [{ kind: 'upsert', row: await rowOf(token), properties: toProperties(record) }]);
    },
    async remove(token) {
      await table.transact(partition, [{ kind: 'remove', row: await rowOf(token) }]);
    },
  };
}

function toProperties({ policies, meta, ...rest }: Token): Properties {
  return { ...rest, policies: JSON.stringify(policies), meta: JSON.stringify(meta) };
}

function toToken({ properties }: Entity): Token {
  const { policies, meta, ...rest } = properties;
  return {
    ...(rest as unknown as Omit<Token, 'policies' | 'meta'>),
    policies: JSON.parse(policies as string) as string[],
    meta: JSON.parse(meta as string) as Token['meta'],
  };
}
