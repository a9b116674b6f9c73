import { keyKind } from '../object-kind.ts';
import type { StoredObject } from '../object-store.ts';
import type { OperationRequest } from '../operation.ts';
import type { Vault } from '../vault.ts';
import { isHsm, type KeyVersion } from './key-version.ts';

type Place = Pick<OperationRequest, 'vault' | 'authority'>;
type StoredKey = StoredObject<KeyVersion>;

/** The order of properties is the service's, in all of these. */
export function keyBundle(place: Place, object: StoredKey, version: KeyVersion): object {
  const kid = `${keyIdOf(place, object)}/${version.version}`;
  return {
    key: { kid, kty: version.kty, key_ops: version.keyOps, ...version.publicKey },
    attributes: attributesOf(place.vault, version),
    ...(version.tags ? { tags: version.tags } : {}),
  };
}

export function deletedKeyBundle(place: Place, object: StoredKey): object {
  return { ...deletionOf(place, object), ...keyBundle(place, object, object.newest) };
}

/** An item of a list of names: the newest version's attributes under an id without version. */
export function keyItem(place: Place, object: StoredKey): object {
  return itemOf(place.vault, keyIdOf(place, object), object.newest);
}

export function deletedKeyItem(place: Place, object: StoredKey): object {
  return { ...deletionOf(place, object), ...keyItem(place, object) };
}

/** An item of a list of versions: its id has the version. */
export function keyVersionItem(place: Place, object: StoredKey, version: KeyVersion): object {
  return itemOf(place.vault, `${keyIdOf(place, object)}/${version.version}`, version);
}

function itemOf(vault: Vault, kid: string, version: KeyVersion): object {
  return { kid, attributes: attributesOf(vault, version), ...(version.tags ? { tags: version.tags } : {}) };
}

function keyIdOf({ authority }: Place, object: StoredKey): string {
  return `https://${authority}/${keyKind.collection}/${object.name}`;
}

function attributesOf(vault: Vault, version: KeyVersion): object {
  return {
    enabled: version.enabled,
    ...(version.notBefore === undefined ? {} : { nbf: version.notBefore }),
    ...(version.expires === undefined ? {} : { exp: version.expires }),
    ...(version.keySizeBits === undefined ? {} : { key_size: version.keySizeBits }),
    created: version.created,
    updated: version.updated,
    recoveryLevel: vault.recoveryLevel,
    recoverableDays: vault.recoverableDays,
    exportable: false,
    hsmPlatform: isHsm(version.kty) ? '2' : '0',
  };
}

function deletionOf({ authority }: Place, object: StoredKey): object {
  return {
    recoveryId: `https://${authority}/${keyKind.deletedCollection}/${object.name}`,
    deletedDate: Math.floor((object.deletion?.deletedAt ?? 0) / 1000),
    scheduledPurgeDate: Math.floor((object.deletion?.purgeAt ?? 0) / 1000),
  };
}
