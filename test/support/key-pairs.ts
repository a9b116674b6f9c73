import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { createDataKeys } from '../../src/state/data-keys.ts';
import { createEncryption, type Encryption } from '../../src/state/encryption.ts';
import { createKeyPairStore, type KeyPairStore, type StoredKeyPair } from '../../src/state/key-pairs.ts';
import type { Table } from '../../src/state/table.ts';
import { createMemoryTable } from './memory-table.ts';

/** The table that pairs are kept in, and what opens it. */
export interface PairWorld {
  table: Table;
  /** Every private key that was ever opened. */
  opened: Pick<StoredKeyPair, 'privateKey'>[];
  /** One process's way to the pairs. @param wrap what lies between it and the table */
  openStore(wrap?: (table: Table) => Table): KeyPairStore;
}

export function createPairWorld(table: Table = createMemoryTable()): PairWorld {
  const dataKeys = createDataKeys({
    table: createMemoryTable(),
    rootKey: {
      wrap: async (plaintext) => ({ wrapped: Uint8Array.from(plaintext), rootKeyId: 'root' }),
      unwrap: async (wrapped) => Uint8Array.from(wrapped),
    },
    now: () => new Date(0),
  });
  const encryption = createEncryption(dataKeys);
  const opened: PairWorld['opened'] = [];
  const watched: Encryption = {
    ...encryption,
    async open(place, sealed) {
      const privateKey = await encryption.open(place, sealed);
      opened.push({ privateKey });
      return privateKey;
    },
  };
  return {
    table,
    opened,
    openStore: (wrap = (unchanged) => unchanged) =>
      createKeyPairStore({ table: wrap(table), tableName: 'keypairs', encryption: watched }),
  };
}

/** A pair that nobody else has. Of a curve: the pool doesn't mind, and it takes no time. */
export function newPair(): StoredKeyPair {
  return generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  });
}

/** What a pair is known by. @throws if its halves are of different keys */
export function nameOf({ publicKey, privateKey }: StoredKeyPair): string {
  const key = createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' });
  const derived = createPublicKey(key).export({ type: 'spki', format: 'der' });
  if (!derived.equals(publicKey)) throw new Error('public and private key do not match');
  return publicKey.toString('hex');
}

export const isZero = ({ privateKey }: Pick<StoredKeyPair, 'privateKey'>): boolean =>
  privateKey.every((byte) => byte === 0);
