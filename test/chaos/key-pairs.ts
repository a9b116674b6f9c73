import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyPairStore } from '../../src/state/key-pairs.ts';
import { eachAtMost } from './service.ts';

const type = 'rsa-2048';
const mostSlots = 3000;
const mostPairs = 300;
const pairsAtOnce = 4;
const putsAtOnce = 16;

/** A pool of key pairs, which spares the hosts the search for primes: they have little time between two deaths. */
export interface Pool {
  /** What makes a host take from it. */
  settings: Readonly<Record<string, string>>;
  /** Makes some pairs and puts them into all slots, in turn: what rotates often enough meets one again. */
  fill(pairs: KeyPairStore): Promise<void>;
}

/** @param wanted how many pairs may be taken */
export function createPool(wanted: number): Pool {
  const slots = Math.min(mostSlots, wanted);
  const different = Math.min(mostPairs, Math.ceil(slots / 8));
  return {
    settings: { KEYFLEET_KEY_POOL: JSON.stringify({ [type]: slots }) },
    async fill(store) {
      const pairs: { publicKey: Buffer; privateKey: Buffer }[] = [];
      await eachAtMost(pairsAtOnce, numbered(different), async () => void pairs.push(await makePair()));
      await eachAtMost(putsAtOnce, numbered(slots), async (slot) => {
        const pair = pairs[slot % pairs.length];
        if (pair !== undefined) await store.put(type, slot, pair);
      });
    },
  };
}

const numbered = (count: number) => [...Array(count).keys()];

const makePair = () =>
  promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  });
