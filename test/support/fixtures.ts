import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { KeyPair } from '../../src/keymgmt/rsa-key-pair.ts';

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
  made ??= {
    pairs: Array.from({ length: 12 }, newPair),
    exchangeKey: generateKeyPairSync('rsa', { modulusLength }).privateKey,
    foreignKey: generateKeyPairSync('rsa', { modulusLength }).privateKey,
  };
  return made;
}

/** Draws from the pool. */
export async function pooledKeyPair(): Promise<KeyPair> {
  const { pairs } = fixtures();
  const pair = pairs[drawn++ % pairs.length];
  if (pair === undefined) throw new Error('the pool is empty');
  return { publicKey: Buffer.from(pair.publicKey), privateKey: Buffer.from(pair.privateKey) };
}

function newPair(): KeyPair {
  return generateKeyPairSync('rsa', {
    modulusLength,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  });
}
