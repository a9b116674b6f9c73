import { createHash } from 'node:crypto';
import type { DistributionRecord, DistributionReference, VersionRecord } from '../state/key-records.ts';
import { ownerOf } from './target.ts';

/** Tags written in the same call as the version: how we know it again. */
export const tagNames = {
  kmsName: 'key_name',
  owner: 'keyfleet-key',
  version: 'keyfleet-version',
  fingerprint: 'keyfleet-fingerprint',
} as const;

/** Key Vault's names for Vault's purposes. */
const operationByPurpose: Record<string, string> = {
  encrypt: 'encrypt',
  decrypt: 'decrypt',
  sign: 'sign',
  verify: 'verify',
  wrap: 'wrapKey',
  unwrap: 'unwrapKey',
};

/** What a version in a vault permits: exactly these. */
export function operationsOf({ purpose }: DistributionRecord): string[] {
  return purpose.map((name) => operationByPurpose[name] ?? name);
}

/** The tags of a version in a vault: exactly these. */
export function tagsOf(
  reference: DistributionReference,
  { kmsName }: DistributionRecord,
  { version, publicKey }: Pick<VersionRecord, 'version' | 'publicKey'>,
): Record<string, string> {
  return {
    [tagNames.kmsName]: kmsName,
    [tagNames.owner]: ownerTag(reference),
    [tagNames.version]: String(version),
    [tagNames.fingerprint]: fingerprintOf(publicKey),
  };
}

export function ownerTag({ mount, provider, key }: DistributionReference): string {
  return ownerOf(mount, provider, key);
}

/** Tells two public keys apart where only tags are to be seen. @param publicKey SubjectPublicKeyInfo, DER */
export function fingerprintOf(publicKey: Buffer): string {
  return createHash('sha256').update(publicKey).digest('hex').slice(0, 16);
}

export function sameMembers(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((member) => right.includes(member));
}

export function sameTags(left: Readonly<Record<string, string>>, right: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(left);
  return names.length === Object.keys(right).length && names.every((name) => left[name] === right[name]);
}
