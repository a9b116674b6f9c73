import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { modulusBitsOf, type KeyType } from './key-types.ts';

/** Material of a new version; whoever asked for it zeroes `privateKey`. */
export interface KeyPair {
  /** SubjectPublicKeyInfo, DER. */
  publicKey: Buffer;
  /** PKCS#8, DER. */
  privateKey: Buffer;
}

export type GenerateKeyPair = (type: KeyType) => Promise<KeyPair>;

const generate = promisify(generateKeyPair);

/**
 * Generates key pairs, few at a time. Searching primes holds a thread of Node's pool for as long as seconds, and DNS
 * look-ups and file reads wait for the same threads: two always stay free for them.
 *
 * @param threadPoolSize of this process, as `UV_THREADPOOL_SIZE` gives it
 */
export function createKeyPairGenerator(threadPoolSize: number): GenerateKeyPair {
  const waiting: (() => void)[] = [];
  let free = Math.max(1, threadPoolSize - 2);

  async function enter(): Promise<void> {
    if (free > 0) {
      free--;
      return;
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  }

  function leave(): void {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  }

  return async (type) => {
    await enter();
    try {
      return await generate('rsa', {
        modulusLength: modulusBitsOf(type),
        publicKeyEncoding: { type: 'spki', format: 'der' },
        privateKeyEncoding: { type: 'pkcs8', format: 'der' },
      });
    } finally {
      leave();
    }
  };
}
