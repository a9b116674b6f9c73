import { createPublicKey, type KeyObject } from 'node:crypto';
import type { KeyPair } from '../../src/keymgmt/rsa-key-pair.ts';
import { createRsaKeySequence } from './rsa-keys.ts';

interface Fixtures {
  pairs: readonly KeyPair[];
  /** Private key of every key exchange key. */
  exchangeKey: KeyObject;
  /** Private key of every key that is none of ours. */
  foreignKey: KeyObject;
}

const modulusLength = 2048;
let made: Fixtures | undefined;
let drawn = 0;

/** Key pairs take long to make and needn't be new: the same few go round. */
export function fixtures(): Fixtures {
  made ??= makeFixtures();
  return made;
}

/** Draws from the pool. */
export async function pooledKeyPair(): Promise<KeyPair> {
  const { pairs } = fixtures();
  const pair = pairs[drawn++ % pairs.length];
  if (pair === undefined) throw new Error('the pool is empty');
  return { publicKey: Buffer.from(pair.publicKey), privateKey: Buffer.from(pair.privateKey) };
}

function makeFixtures(): Fixtures {
  const nextKey = createRsaKeySequence();
  return {
    pairs: Array.from({ length: 12 }, () => pairOf(nextKey(modulusLength))),
    exchangeKey: nextKey(modulusLength),
    foreignKey: nextKey(modulusLength),
  };
}

const pairOf = (key: KeyObject): KeyPair => ({
  publicKey: createPublicKey(key).export({ type: 'spki', format: 'der' }),
  privateKey: key.export({ type: 'pkcs8', format: 'der' }),
});
