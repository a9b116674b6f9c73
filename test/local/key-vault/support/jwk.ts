import { generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';

const opensslNames = { 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1', 'P-256K': 'secp256k1' };

export type Curve = keyof typeof opensslNames;
export const curveNames = Object.keys(opensslNames) as Curve[];

export const rsaKey = (bits = 2048): KeyObject => generateKeyPairSync('rsa', { modulusLength: bits }).privateKey;
export const ecKey = (curve: Curve = 'P-256'): KeyObject =>
  generateKeyPairSync('ec', { namedCurve: opensslNames[curve] }).privateKey;

/** The private key as a JWK with Key Vault's name of the curve. */
export function jwkOf(key: KeyObject): JsonWebKey & { kty: string } {
  const jwk = key.export({ format: 'jwk' });
  return { ...jwk, ...(jwk.crv === 'secp256k1' ? { crv: 'P-256K' } : {}), kty: jwk.kty ?? '' };
}

/** The form in which the SDK's importKey wants it: bytes instead of base64url. */
export function sdkJwkOf(key: KeyObject): Record<string, Uint8Array | string> {
  const texts = ['kty', 'crv'];
  return Object.fromEntries(
    Object.entries(jwkOf(key)).map(([name, value]) => [
      name,
      texts.includes(name) ? String(value) : Buffer.from(String(value), 'base64url'),
    ]),
  );
}
