import { z } from 'zod';
import { attributesSchema, parseBody, tagsSchema } from '../fields.ts';
import type { OperationRequest, Reply } from '../operation.ts';
import { secondsOf } from '../vault.ts';
import { applyUpdate } from '../version-update.ts';
import { keyReply } from './bundle.ts';
import { keyOpsOf } from './key-ops.ts';
import { keyTagLength, refuseRelease } from './key-request.ts';
import { familyOf } from './key-version.ts';

const updateBody = z.object({
  key_ops: z.array(z.string()).optional(),
  attributes: attributesSchema.optional(),
  tags: tagsSchema(keyTagLength).optional(),
  release_policy: z.unknown().optional(),
});

export function getKey(request: OperationRequest): Reply {
  const { object, version } = request.vault.keys.version(request.name, request.version);
  return keyReply(request, object, version);
}

/** What is absent stays as it is; what is present replaces the whole list or map. */
export function updateKey(request: OperationRequest): Reply {
  const body = parseBody(updateBody, request.body);
  refuseRelease(body);
  const { object, version } = request.vault.keys.version(request.name, request.version);
  if (body.key_ops) version.keyOps = keyOpsOf(familyOf(version.kty), body.key_ops);
  applyUpdate(version, body, secondsOf(request.vault.now()));
  request.vault.rotations.reschedule(object);
  return keyReply(request, object, version);
}
