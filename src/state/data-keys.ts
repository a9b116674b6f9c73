import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { KeyfleetError } from '../errors.ts';
import type { Entity, Table } from './table.ts';

/** The key in the home Key Vault under which data keys are kept. */
export interface RootKey {
  /** @returns the wrapped bytes and the id, version included, of the key that wrapped them */
  wrap(plaintext: Uint8Array): Promise<{ wrapped: Uint8Array; rootKeyId: string }>;
  unwrap(wrapped: Uint8Array, rootKeyId: string): Promise<Uint8Array>;
}

export interface DataKeys {
  /** The key that new values are sealed with. */
  current(): Promise<{ id: Buffer; key: KeyObject }>;
  /** @throws KeyfleetError `internal` if there is no such key */
  byId(id: Buffer): Promise<KeyObject>;
}

export interface DataKeysOptions {
  table: Table;
  rootKey: RootKey;
  now: () => Date;
  /** How long an unwrapped key stays in memory. */
  cacheSeconds?: number;
}

const partition = 'data';
/** The first key's row has a fixed name: of two instances that start together, only one can insert it. */
const firstRow = '000001';

export function createDataKeys({ table, rootKey, now, cacheSeconds = 300 }: DataKeysOptions): DataKeys {
  type Loaded = { id: Buffer; key: KeyObject };
  let cache: { loaded: Promise<Loaded[]>; expiresAt: number } | undefined;

  async function load(): Promise<Loaded[]> {
    let rows = await table.query(partition);
    if (rows.length === 0) {
      await insertFirst();
      rows = await table.query(partition);
    }
    return Promise.all(rows.map(unwrap));
  }

  async function insertFirst(): Promise<void> {
    const plaintext = randomBytes(32);
    try {
      const { wrapped, rootKeyId } = await rootKey.wrap(plaintext);
      const properties = { id: randomBytes(16), wrapped, rootKeyId, createdTime: now() };
      await table.transact(partition, [{ kind: 'insert', row: firstRow, properties }]);
    } finally {
      plaintext.fill(0);
    }
  }

  async function unwrap({ properties }: Entity): Promise<Loaded> {
    const { id, wrapped, rootKeyId } = properties as { id: Uint8Array; wrapped: Uint8Array; rootKeyId: string };
    const plaintext = await rootKey.unwrap(wrapped, rootKeyId);
    try {
      return { id: Buffer.from(id), key: createSecretKey(plaintext) };
    } finally {
      plaintext.fill(0);
    }
  }

  function loaded(): Promise<Loaded[]> {
    if (cache === undefined || cache.expiresAt <= now().getTime()) {
      const entry = { loaded: load(), expiresAt: now().getTime() + cacheSeconds * 1000 };
      cache = entry;
      entry.loaded.catch(() => {
        if (cache === entry) cache = undefined;
      });
    }
    return cache.loaded;
  }

  return {
    async current() {
      const newest = (await loaded()).at(-1);
      if (newest === undefined) throw new KeyfleetError('internal', 'there is no data key');
      return newest;
    },
    async byId(id) {
      const found = (await loaded()).find((entry) => entry.id.equals(id));
      if (found === undefined) throw new KeyfleetError('internal', `data key ${id.toString('hex')} is not known`);
      return found.key;
    },
  };
}
