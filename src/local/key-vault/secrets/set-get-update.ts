import { z } from 'zod';
import { forbidden } from '../errors.ts';
import { attributesSchema, parseBody, tagsOf, tagsSchema, timesOf } from '../fields.ts';
import { baseIdOf } from '../object-operations.ts';
import type { StoredObject } from '../object-store.ts';
import { ok, type OperationRequest, type Reply } from '../operation.ts';
import { secondsOf } from '../vault.ts';
import { newVersionId } from '../version-id.ts';
import { applyUpdate } from '../version-update.ts';
import { secretView } from './bundle.ts';
import type { SecretVersion } from './secret-version.ts';

const maximumValueBytes = 25_600;
/** Of the name, and of the value, of a secret's tag. The service's documentation had 256 until lately. */
const tagLength = 512;

const contentType = z.string().max(255).optional();
const attributes = attributesSchema.omit({ exportable: true }).optional();
const tags = tagsSchema(tagLength).optional();
const value = z.string().refine((text) => Buffer.byteLength(text) <= maximumValueBytes);

const setBody = z.object({ value, contentType, tags, attributes });
const updateBody = z.object({ contentType, tags, attributes });

/** Makes a new version. */
export function setSecret(request: OperationRequest): Reply {
  const body = parseBody(setBody, request.body);
  const at = secondsOf(request.vault.now());
  const version: SecretVersion = {
    version: newVersionId(),
    value: body.value,
    ...(body.contentType === undefined ? {} : { contentType: body.contentType }),
    ...timesOf(body.attributes),
    ...tagsOf(body.tags),
    created: at,
    updated: at,
  };
  const object = request.vault.secrets.add(request.name, version);
  return ok({ value: version.value, ...bundleOf(request, object, version) });
}

/** Works before nbf and after exp, which only inform; not on a disabled secret. */
export function getSecret(request: OperationRequest): Reply {
  const { object, version } = request.vault.secrets.version(request.name, request.version);
  if (!version.enabled) throw forbidden('Operation get is not allowed on a disabled secret.', 'SecretDisabled');
  return ok({ value: version.value, ...bundleOf(request, object, version) });
}

/** Works on a disabled secret too. A value can't be updated: it is ignored. */
export function updateSecret(request: OperationRequest): Reply {
  const body = parseBody(updateBody, request.body);
  const { object, version } = request.vault.secrets.version(request.name, request.version);
  if (body.contentType !== undefined) version.contentType = body.contentType;
  applyUpdate(version, body, secondsOf(request.vault.now()));
  return ok(bundleOf(request, object, version));
}

function bundleOf(request: OperationRequest, object: StoredObject<SecretVersion>, version: SecretVersion): object {
  return secretView.bundle(request, `${baseIdOf(secretView, request, object.name)}/${version.version}`, version);
}
