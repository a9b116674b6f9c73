import { badParameter, invalidProperty, notImplemented } from '../errors.ts';
import type { Attributes } from '../fields.ts';
import type { Vault } from '../vault.ts';
import { isCurve, rsaSizesBits, type CurveName } from './key-material.ts';
import type { KeyType } from './key-version.ts';

/** Characters in the name, and in the value, of a key's tag. */
export const keyTagLength = 256;

const keyTypes: readonly string[] = ['RSA', 'RSA-HSM', 'EC', 'EC-HSM'] satisfies KeyType[];

/** @throws KeyVaultError 501: secure key release isn't part of the stand-in */
export function refuseRelease(body: { attributes?: Attributes | undefined; release_policy?: unknown }): void {
  if (body.release_policy !== undefined || body.attributes?.exportable === true) {
    throw notImplemented('exportable keys and release policies');
  }
}

/**
 * @param hardware asks for the HSM form of a software type
 * @throws KeyVaultError 400 for a type that a vault doesn't have, or that its SKU doesn't
 */
export function keyTypeOf(vault: Vault, kty: string | undefined, hardware = false): KeyType {
  if (kty === 'oct' || kty === 'oct-HSM') throw badParameter(`Key type ${kty} is for managed HSMs alone.`);
  if (kty === undefined || !keyTypes.includes(kty)) throw invalidProperty('kty');
  const type = hardware && !kty.endsWith('-HSM') ? `${kty}-HSM` : kty;
  if (type.endsWith('-HSM') && vault.sku === 'standard') {
    // How the service words and codes this refusal wasn't seen; that it refuses is certain.
    throw badParameter('Hardware operations are not allowed: the vault is of the standard SKU.');
  }
  return type as KeyType;
}

export function rsaBitsOf(keySize: number | undefined): number {
  const bits = keySize ?? 2048;
  if (!rsaSizesBits.includes(bits)) throw invalidProperty('key_size');
  return bits;
}

export function curveOf(crv: string | undefined): CurveName {
  const curve = crv ?? 'P-256';
  if (!isCurve(curve)) throw invalidProperty('crv');
  return curve;
}
