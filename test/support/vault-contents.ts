import { createPublicKey, type KeyObject } from 'node:crypto';
import type { KeyClient, KeyVaultKey } from '@azure/keyvault-keys';

/** One version of a key, as the vault's own client shows it. */
export interface SeenVersion {
  id: string;
  /** Keyfleet's number of the version, from the tag; 0 for a key that isn't Keyfleet's. */
  number: number;
  enabled: boolean;
  type: string;
  operations: string[];
  tags: Record<string, string>;
  publicKey: KeyObject;
}

/** Every live version of a key, in Keyfleet's order. */
export async function seeVersions(client: KeyClient, keyName: string): Promise<SeenVersion[]> {
  const versions: SeenVersion[] = [];
  for await (const { version } of client.listPropertiesOfKeyVersions(keyName)) {
    versions.push(toSeen(await client.getKey(keyName, version === undefined ? {} : { version })));
  }
  return versions.sort((left, right) => left.number - right.number);
}

function toSeen({ key, properties }: KeyVaultKey): SeenVersion {
  const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('base64url');
  return {
    id: properties.version ?? '',
    number: Number(properties.tags?.['keyfleet-version'] ?? 0),
    enabled: properties.enabled ?? true,
    type: key?.kty ?? '',
    operations: [...(key?.keyOps ?? [])].sort(),
    tags: properties.tags ?? {},
    publicKey: createPublicKey({ key: { kty: 'RSA', n: text(key?.n), e: text(key?.e) }, format: 'jwk' }),
  };
}

/** Names of the live keys, Keyfleet's own key exchange keys included. */
export async function seeNames(client: KeyClient): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of client.listPropertiesOfKeys()) names.push(name);
  return names.sort();
}

/** Everything live in a vault, to be compared with what was there before. */
export async function seeContents(client: KeyClient): Promise<Record<string, string[]>> {
  const contents: Record<string, string[]> = {};
  for (const name of await seeNames(client)) {
    const versions = [];
    for await (const { version, enabled, updatedOn } of client.listPropertiesOfKeyVersions(name)) {
      versions.push(`${version} ${enabled} ${updatedOn?.getTime()}`);
    }
    contents[name] = versions.sort();
  }
  return contents;
}

/** SubjectPublicKeyInfo, to compare two public keys by. */
export function spki(key: KeyObject | string): string {
  const publicKey = typeof key === 'string' ? createPublicKey(key) : key;
  return publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
}
