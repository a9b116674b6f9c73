import type { StoredVersion } from '../object-store.ts';
import { newVersionId } from '../version-id.ts';
import type { KeyMaterial, PublicKey } from './key-material.ts';

export type KeyType = 'RSA' | 'RSA-HSM' | 'EC' | 'EC-HSM';

export interface KeyVersion extends StoredVersion {
  kty: KeyType;
  keyOps: string[];
  publicKey: PublicKey;
  /** RSA only. */
  keySizeBits?: number;
  /** PKCS#8 DER. */
  privateKey: Buffer;
}

export const isHsm = (kty: KeyType): boolean => kty.endsWith('-HSM');

export const familyOf = (kty: KeyType): 'RSA' | 'EC' => (kty.startsWith('RSA') ? 'RSA' : 'EC');

/** @param properties what the caller asked for; `atSeconds` becomes both created and updated */
export function createKeyVersion(
  material: KeyMaterial,
  properties: Pick<KeyVersion, 'kty' | 'keyOps' | 'enabled' | 'notBefore' | 'expires' | 'tags'>,
  atSeconds: number,
): KeyVersion {
  return { version: newVersionId(), ...properties, ...material, created: atSeconds, updated: atSeconds };
}
