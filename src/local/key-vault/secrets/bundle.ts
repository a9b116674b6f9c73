import { secretKind } from '../object-kind.ts';
import type { ObjectView } from '../object-operations.ts';
import type { Vault } from '../vault.ts';
import type { SecretVersion } from './secret-version.ts';

/** The order of properties is the service's. Nothing here shows the value: get and set put it in front. */
export const secretView: ObjectView<SecretVersion> = {
  kind: secretKind,
  storeOf: (vault) => vault.secrets,
  bundle: ({ vault }, id, version) => withoutValue(vault, id, version),
  item: ({ vault }, id, version) => withoutValue(vault, id, version),
  assertHoldable: () => undefined,
};

function withoutValue(vault: Vault, id: string, version: SecretVersion): object {
  return {
    ...(version.contentType === undefined ? {} : { contentType: version.contentType }),
    id,
    attributes: {
      enabled: version.enabled,
      ...(version.notBefore === undefined ? {} : { nbf: version.notBefore }),
      ...(version.expires === undefined ? {} : { exp: version.expires }),
      created: version.created,
      updated: version.updated,
      recoveryLevel: vault.recoveryLevel,
      recoverableDays: vault.recoverableDays,
    },
    ...(version.tags ? { tags: version.tags } : {}),
  };
}
