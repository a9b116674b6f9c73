import type { JsonWebKey, KeyObject } from 'node:crypto';
import { createHash, createPublicKey } from 'node:crypto';

/** @returns by what equal public keys are told, however they came: the SHA-256 of their SPKI. */
export function fingerprint(publicKey: KeyObject): string {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return `SHA-256 ${createHash('sha256').update(spki).digest('hex')}`;
}

/** @returns the fingerprint of a public key in PEM. */
export function fingerprintOfPem(pem: string): string {
  return fingerprint(createPublicKey(pem));
}

/** @returns the fingerprint of the RSA key that a vault describes, whose numbers are big-endian bytes. */
export function fingerprintOfNumbers({ n, e }: { n?: Uint8Array; e?: Uint8Array }): string {
  const base64url = (bytes: Uint8Array = new Uint8Array()) => Buffer.from(bytes).toString('base64url');
  const jwk: JsonWebKey = { kty: 'RSA', n: base64url(n), e: base64url(e) };
  return fingerprint(createPublicKey({ key: jwk, format: 'jwk' }));
}
