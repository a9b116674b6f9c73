import { createPrivateKey, createPublicKey } from 'node:crypto';
import { KeyfleetError } from '../errors.ts';
import type { Encryption, Place } from './encryption.ts';
import type { VersionMaterial } from './key-records.ts';
import { maxActions, type Entity, type Table } from './table.ts';

/** What a pair is made of; whoever holds it zeroes `privateKey`. */
export type StoredKeyPair = Pick<VersionMaterial, 'publicKey' | 'privateKey'>;

/**
 * Key pairs made in advance, by type, in numbered slots. A slot holds one pair or none: whoever fills slots can't fill
 * more than there are. No pair is ever handed out twice: it is put once, into one slot, and handed out only after it
 * was removed at the ETag at which it was read.
 */
export interface KeyPairStore {
  /** Slots that hold a pair, in order. */
  slots(type: string): Promise<number[]>;
  /**
   * @returns false if the slot holds another pair; only then may this one go elsewhere
   * @throws KeyfleetError `unavailable`: the pair may be there, so it must not be put or used again
   */
  put(type: string, slot: number, pair: StoredKeyPair): Promise<boolean>;
  /**
   * Removes a pair, the first from `slot` on, or else from the beginning.
   * @returns undefined if there is none
   * @throws KeyfleetError `internal` for a pair that was altered, moved or isn't one; it stays where it is
   */
  take(type: string, slot: number): Promise<StoredKeyPair | undefined>;
  /** Removes the pairs of this slot and those after it. */
  discardFrom(type: string, slot: number): Promise<void>;
}

export interface KeyPairStoreOptions {
  /** Sends requests once at most. */
  table: Table;
  tableName: string;
  encryption: Encryption;
}

/** One to take, and some more in case somebody else takes it first. */
const pageRows = 4;

export function createKeyPairStore({ table, tableName, encryption }: KeyPairStoreOptions): KeyPairStore {
  const place = (type: string, row: string): Place => ({
    table: tableName,
    partition: type,
    row,
    field: 'privateKey',
    version: 0,
  });

  async function takeRow(type: string, { row, etag, properties }: Entity): Promise<StoredKeyPair | undefined> {
    const privateKey = await encryption.open(place(type, row), properties.privateKey as Uint8Array);
    let taken = false;
    try {
      const publicKey = publicKeyOf(privateKey);
      if (!publicKey.equals(properties.publicKey as Uint8Array)) {
        throw new KeyfleetError('internal', `the stored public key of ${tableName} ${type} ${row} is another key's`);
      }
      taken = await table.remove(type, row, etag);
      return taken ? { publicKey, privateKey } : undefined;
    } finally {
      if (!taken) privateKey.fill(0);
    }
  }

  /** Every pair that somebody else takes first is one that is gone: the end is reached. */
  async function takeBetween(type: string, from: string, before?: string): Promise<StoredKeyPair | undefined> {
    const range = { atMost: pageRows, ...(before !== undefined && { before }) };
    let page = await table.query(type, { ...range, from });
    for (;;) {
      for (const entity of page) {
        const pair = await takeRow(type, entity);
        if (pair !== undefined) return pair;
      }
      const last = page.at(-1);
      if (last === undefined || page.length < pageRows) return undefined;
      page = await table.query(type, { ...range, from: rowOf(slotOf(last.row) + 1) });
    }
  }

  return {
    slots: async (type) => (await table.queryRows(type)).map(slotOf),

    async put(type, slot, { publicKey, privateKey }) {
      const row = rowOf(slot);
      const sealed = await encryption.seal(place(type, row), privateKey);
      const properties = { publicKey, privateKey: sealed };
      if (await table.transact(type, [{ kind: 'insert', row, properties }])) return true;
      const holder = await table.get(type, row);
      // One that is gone by now could have been this one.
      return holder === undefined || publicKey.equals(holder.properties.publicKey as Uint8Array);
    },

    async take(type, slot) {
      return (await takeBetween(type, rowOf(slot))) ?? takeBetween(type, rowOf(0), rowOf(slot));
    },

    async discardFrom(type, slot) {
      const rows = await table.queryRows(type, { from: rowOf(slot) });
      for (let start = 0; start < rows.length; start += maxActions) {
        const removed = await table.transact(
          type,
          rows.slice(start, start + maxActions).map((row) => ({ kind: 'remove', row })),
        );
        // Somebody takes or discards the same ones: what is left is discarded the next time.
        if (!removed) return;
      }
    },
  };
}

/** Row keys sort as text. */
function rowOf(slot: number): string {
  return String(slot).padStart(6, '0');
}

function slotOf(row: string): number {
  return Number(row);
}

function publicKeyOf(privateKey: Buffer): Buffer {
  const key = createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' });
  return createPublicKey(key).export({ format: 'der', type: 'spki' });
}
