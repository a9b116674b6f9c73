import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { JsonWebKey, KeyProperties, KeyVaultKey } from '@azure/keyvault-keys';
import { AzureFailure } from '../azure-failure.ts';

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
  /** When anything about this version was last changed, in whole seconds, by the vault's clock. */
  updatedTime: Date;
}

/** A key as a list shows it: the attributes are those of its newest version, whose id a list doesn't tell. */
export interface KeyItem {
  name: string;
  enabled: boolean;
  tags: Readonly<Record<string, string>>;
  /** Whole seconds, by the vault's clock. */
  updatedTime: Date;
}

export interface VersionSummary {
  version: string;
  enabled: boolean;
  tags: Readonly<Record<string, string>>;
  /** Whole seconds, by the vault's clock. */
  createdTime: Date;
  /** Whole seconds, by the vault's clock. */
  updatedTime: Date;
}

/** Where a vault doesn't say when: no time that it ever said is equal to this. */
const unknownTime = new Date(0);

/** @throws Error if the reply is about another key, or lacks what every key has: then it isn't the vault's own */
export function toKeyNamed(keyName: string, reply: KeyVaultKey | undefined): VaultKey {
  // Names of keys have no case in a vault.
  if (reply?.name.toLowerCase() !== keyName.toLowerCase()) throw new Error('the reply is about another key');
  const { id, key, properties } = reply;
  const { version, enabled, tags } = properties;
  const publicKey = key && toPublicKey(key);
  if (id === undefined || version === undefined || publicKey === undefined) {
    throw new Error('a key without id, version or public part was described');
  }
  return {
    id,
    version,
    type: key?.kty ?? '',
    operations: key?.keyOps ?? [],
    enabled: enabled ?? true,
    tags: tags ?? {},
    publicKey,
    updatedTime: properties.updatedOn ?? unknownTime,
  };
}

/** An entry of a list of keys. */
export function toKeyItem({ name, enabled, tags, updatedOn }: KeyProperties): KeyItem {
  return { name, enabled: enabled ?? true, tags: tags ?? {}, updatedTime: updatedOn ?? unknownTime };
}

/** An entry of a list of versions. @throws AzureFailure `unavailable` if it doesn't say which version it is */
export function toVersionSummary({ version, enabled, tags, createdOn, updatedOn }: KeyProperties): VersionSummary {
  if (version === undefined) throw new AzureFailure('unavailable', 'a page of versions had an entry without version');
  return {
    version,
    enabled: enabled ?? true,
    tags: tags ?? {},
    createdTime: createdOn ?? unknownTime,
    updatedTime: updatedOn ?? unknownTime,
  };
}

/** Ours are RSA, but a name may turn out to be held by a key of somebody else. */
function toPublicKey({ n, e, crv, x, y }: JsonWebKey): KeyObject | undefined {
  const encoded = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
  if (n !== undefined && e !== undefined) {
    return createPublicKey({ key: { kty: 'RSA', n: encoded(n), e: encoded(e) }, format: 'jwk' });
  }
  if (crv === undefined || x === undefined || y === undefined) return undefined;
  const curve = crv === 'P-256K' ? 'secp256k1' : crv;
  return createPublicKey({ key: { kty: 'EC', crv: curve, x: encoded(x), y: encoded(y) }, format: 'jwk' });
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
