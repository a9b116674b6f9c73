import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { serialize } from 'node:v8';
import type { KeyVersion } from '../../src/local/key-vault/keys/key-version.ts';
import type { StoredObject } from '../../src/local/key-vault/object-store.ts';

const pairCount = 8;

export const keyNameOf = (index: number): string => `key-${index}`;

/**
 * What the stand-in's snapshot of one vault with `keyCount` RSA-2048 keys would be, each with a version. A few key pairs
 * go round: making so many takes hours, and keeping them costs the same.
 */
export function createSnapshot(vaultName: string, keyCount: number): Buffer {
  const pairs = Array.from({ length: pairCount }, () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
    return { privateKey: privateKey.export({ type: 'pkcs8', format: 'der' }), publicKey: { n, e } };
  });
  const created = Math.floor(Date.now() / 1000);
  const objects = Array.from({ length: keyCount }, (_, index): StoredObject<KeyVersion> => {
    const pair = pairs[index % pairCount];
    if (!pair) throw new Error('there are no key pairs');
    const newest: KeyVersion = {
      version: randomBytes(16).toString('hex'),
      enabled: true,
      created,
      updated: created,
      tags: { number: String(index) },
      kty: 'RSA',
      keyOps: ['sign', 'verify'],
      keySizeBits: 2048,
      publicKey: pair.publicKey,
      // A copy each: equal buffers would be stored once.
      privateKey: Buffer.from(pair.privateKey),
    };
    return { name: keyNameOf(index), versions: new Map([[newest.version, newest]]), newest };
  });
  const vault = { keys: { objects, purging: new Map() }, secrets: { objects: [], purging: new Map() } };
  return serialize({ vaults: new Map([[vaultName, vault]]) });
}
