import { baseIdOf, type ObjectView, type Place } from '../object-operations.ts';
import { keyKind } from '../object-kind.ts';
import { ok, type Reply } from '../operation.ts';
import type { Vault } from '../vault.ts';
import type { StoredObject } from '../object-store.ts';
import { keyTypeOf } from './key-request.ts';
import { isHsm, type KeyVersion } from './key-version.ts';

/** The order of properties is the service's. */
export const keyView: ObjectView<KeyVersion> = {
  kind: keyKind,
  storeOf: (vault) => vault.keys,
  bundle: ({ vault }, kid, version) => ({
    key: { kid, kty: version.kty, key_ops: version.keyOps, ...version.publicKey },
    attributes: attributesOf(vault, version),
    ...(version.tags ? { tags: version.tags } : {}),
  }),
  item: ({ vault }, kid, version) => ({
    kid,
    attributes: attributesOf(vault, version),
    ...(version.tags ? { tags: version.tags } : {}),
  }),
  assertHoldable(vault, object) {
    for (const version of object.versions.values()) keyTypeOf(vault, version.kty);
  },
};

export function keyReply(place: Place, object: StoredObject<KeyVersion>, version: KeyVersion): Reply {
  return ok(keyView.bundle(place, `${baseIdOf(keyView, place, object.name)}/${version.version}`, version));
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
