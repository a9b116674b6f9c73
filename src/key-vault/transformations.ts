import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { JsonWebKey, KeyVaultKey } from '@azure/keyvault-keys';
import { KeyfleetError } from '../errors.ts';

/** A key version as a vault described it in a reply. */
export interface VaultKey {
  /** Full URL, version included. */
  id: string;
  /** Key Vault's own id of the version: 32 hex digits. */
  version: string;
  /** `RSA`, `RSA-HSM`, ... */
  type: string;
  operations: readonly string[];
  enabled: boolean;
  tags: Readonly<Record<string, string>>;
  publicKey: KeyObject;
}

/** @throws KeyfleetError `internal` if the reply lacks what every key has */
export function toVaultKey({ id, key, properties }: KeyVaultKey): VaultKey {
  const { version, enabled, tags } = properties;
  if (id === undefined || version === undefined || key?.n === undefined || key.e === undefined) {
    throw new KeyfleetError('internal', 'Key Vault described a key without id, version or RSA public part');
  }
  const encoded = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
  return {
    id,
    version,
    type: key.kty ?? '',
    operations: key.keyOps ?? [],
    enabled: enabled ?? true,
    tags: tags ?? {},
    publicKey: createPublicKey({ key: { kty: 'RSA', n: encoded(key.n), e: encoded(key.e) }, format: 'jwk' }),
  };
}

/**
 * The one place where a private key becomes text: Key Vault's plain import takes nothing but a JSON Web Key. Used only
 * where the vault can't take a wrapped one.
 * @param privateKey PKCS#8 DER of an RSA key
 */
export function toPlainJsonWebKey(privateKey: Buffer): JsonWebKey {
  const jwk = createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' });
  const bytes = (value: string | undefined) => Buffer.from(value ?? '', 'base64url');
  const { n, e, d, p, q, dp, dq, qi } = jwk;
  return {
    kty: 'RSA',
    n: bytes(n),
    e: bytes(e),
    d: bytes(d),
    p: bytes(p),
    q: bytes(q),
    dp: bytes(dp),
    dq: bytes(dq),
    qi: bytes(qi),
  };
}
