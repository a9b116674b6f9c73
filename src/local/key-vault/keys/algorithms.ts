import type { KeyObject } from 'node:crypto';
import { badParameter } from '../errors.ts';
import { signDigest, verifyDigest } from './ecdsa.ts';
import type { CurveName } from './key-material.ts';
import type { KeyVersion } from './key-version.ts';
import * as rsa from './rsa.ts';

export interface SignatureAlgorithm {
  digestBytes: number;
  sign(key: KeyObject, digest: Uint8Array): Buffer;
  verify(key: KeyObject, digest: Uint8Array, signature: Uint8Array): boolean;
}

export interface EncryptionAlgorithm {
  encrypt(key: KeyObject, plaintext: Uint8Array): Buffer;
  /** @throws Error if the ciphertext isn't one */
  decrypt(key: KeyObject, ciphertext: Uint8Array): Buffer;
}

const pkcs1 = (hash: string, digestBytes: number): SignatureAlgorithm => ({
  digestBytes,
  sign: (key, digest) => rsa.signPkcs1(key, hash, digest),
  verify: (key, digest, signature) => rsa.verifyPkcs1(key, hash, digest, signature),
});

const pss = (hash: string, digestBytes: number): SignatureAlgorithm => ({
  digestBytes,
  sign: (key, digest) => rsa.signPss(key, hash, digest),
  verify: (key, digest, signature) => rsa.verifyPss(key, hash, digest, signature),
});

const ecdsa = (curve: CurveName, digestBytes: number): SignatureAlgorithm => ({
  digestBytes,
  sign: (key, digest) => signDigest(curve, key, digest),
  verify: (key, digest, signature) => verifyDigest(curve, key, digest, signature),
});

const rsaSignatures: Record<string, SignatureAlgorithm> = {
  RS256: pkcs1('sha256', 32),
  RS384: pkcs1('sha384', 48),
  RS512: pkcs1('sha512', 64),
  PS256: pss('sha256', 32),
  PS384: pss('sha384', 48),
  PS512: pss('sha512', 64),
};

const curveSignatures: Record<CurveName, Record<string, SignatureAlgorithm>> = {
  'P-256': { ES256: ecdsa('P-256', 32) },
  'P-384': { ES384: ecdsa('P-384', 48) },
  'P-521': { ES512: ecdsa('P-521', 64) },
  'P-256K': { ES256K: ecdsa('P-256K', 32) },
};

const rsaEncryptions: Record<string, EncryptionAlgorithm> = {
  RSA1_5: { encrypt: rsa.encryptPkcs1, decrypt: rsa.decryptPkcs1 },
  'RSA-OAEP': oaep('sha1'),
  'RSA-OAEP-256': oaep('sha256'),
};

function oaep(hash: string): EncryptionAlgorithm {
  return {
    encrypt: (key, plaintext) => rsa.encryptOaep(key, hash, plaintext),
    decrypt: (key, ciphertext) => rsa.decryptOaep(key, hash, ciphertext),
  };
}

/** @throws KeyVaultError 400 for an algorithm that the key can't do */
export function signatureAlgorithmOf(version: KeyVersion, name: string): SignatureAlgorithm {
  const { publicKey } = version;
  return pick('crv' in publicKey ? curveSignatures[publicKey.crv] : rsaSignatures, version, name);
}

/** @throws KeyVaultError 400 for an algorithm that the key can't do */
export function encryptionAlgorithmOf(version: KeyVersion, name: string): EncryptionAlgorithm {
  return pick('crv' in version.publicKey ? {} : rsaEncryptions, version, name);
}

function pick<Algorithm>(algorithms: Record<string, Algorithm>, version: KeyVersion, name: string): Algorithm {
  const algorithm = Object.hasOwn(algorithms, name) ? algorithms[name] : undefined;
  if (!algorithm) throw badParameter(`Algorithm '${name}' isn't supported by this key of type ${version.kty}.`);
  return algorithm;
}
