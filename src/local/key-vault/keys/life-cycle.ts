import { z } from 'zod';
import { attributesSchema, parseBody, tagsOf, tagsSchema } from '../fields.ts';
import { ok, type OperationRequest, type Reply } from '../operation.ts';
import { listPage } from '../pages.ts';
import { secondsOf } from '../vault.ts';
import { deletedKeyBundle, deletedKeyItem, keyBundle, keyItem, keyVersionItem } from './bundle.ts';
import { keyOpsOf } from './key-ops.ts';
import { familyOf, type KeyVersion } from './key-version.ts';
import { keyTagLength, refuseRelease } from './key-request.ts';

const updateBody = z.object({
  key_ops: z.array(z.string()).optional(),
  attributes: attributesSchema.optional(),
  tags: tagsSchema(keyTagLength).optional(),
  release_policy: z.unknown().optional(),
});

export function getKey(request: OperationRequest): Reply {
  const { object, version } = request.vault.keys.version(request.name, request.version);
  return ok(keyBundle(request, object, version));
}

/** What is absent stays as it is; what is present replaces the whole list or map. */
export function updateKey(request: OperationRequest): Reply {
  const body = parseBody(updateBody, request.body);
  refuseRelease(body);
  const { object, version } = request.vault.keys.version(request.name, request.version);
  const keyOps = body.key_ops && keyOpsOf(familyOf(version.kty), body.key_ops);
  if (keyOps) version.keyOps = keyOps;
  applyAttributes(version, body, secondsOf(request.vault.now()));
  return ok(keyBundle(request, object, version));
}

function applyAttributes(version: KeyVersion, body: z.infer<typeof updateBody>, atSeconds: number): void {
  if (body.attributes?.enabled !== undefined) version.enabled = body.attributes.enabled;
  if (body.attributes?.nbf !== undefined) version.notBefore = body.attributes.nbf;
  if (body.attributes?.exp !== undefined) version.expires = body.attributes.exp;
  if (body.tags) {
    delete version.tags;
    Object.assign(version, tagsOf(body.tags));
  }
  version.updated = atSeconds;
}

export function listKeyVersions(request: OperationRequest): Reply {
  const object = request.vault.keys.find(request.name);
  // The service promises no order. By id is none either, and never that of their making.
  const ids = object ? [...object.versions.keys()].sort() : [];
  const read = (from: string, count: number) => {
    const rest = ids.filter((id) => id >= from);
    const next = rest[count];
    return { items: rest.slice(0, count), ...(next === undefined ? {} : { next }) };
  };
  return listPage(request, `keys/${request.name}/versions`, read, (id) => {
    if (!object) return {};
    return keyVersionItem(request, object, object.versions.get(id) as KeyVersion);
  });
}

export function listKeys(request: OperationRequest): Reply {
  const { keys } = request.vault;
  return listPage(
    request,
    'keys',
    (from, count) => keys.listLive(from, count),
    (object) => keyItem(request, object),
  );
}

export function listDeletedKeys(request: OperationRequest): Reply {
  const { keys } = request.vault;
  return listPage(
    request,
    'deletedkeys',
    (from, count) => keys.listDeleted(from, count),
    (object) => deletedKeyItem(request, object),
  );
}

export function deleteKey(request: OperationRequest): Reply {
  return ok(deletedKeyBundle(request, request.vault.keys.remove(request.name)));
}

export function getDeletedKey(request: OperationRequest): Reply {
  return ok(deletedKeyBundle(request, request.vault.keys.deleted(request.name)));
}

export function recoverKey(request: OperationRequest): Reply {
  const object = request.vault.keys.recover(request.name);
  return ok(keyBundle(request, object, object.newest));
}

export function purgeKey(request: OperationRequest): Reply {
  request.vault.keys.purge(request.name);
  return { status: 204 };
}
