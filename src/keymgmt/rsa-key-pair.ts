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

const generate = promisify(generateKeyPair);

/** Holds a thread of Node's pool until it is done, which can take seconds, and can't be stopped. */
export function makeRsaKeyPair(type: KeyType): Promise<KeyPair> {
  return generate('rsa', {
    modulusLength: modulusBitsOf(type),
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  });
}
