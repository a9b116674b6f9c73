import { z } from 'zod';
import { badParameter } from '../errors.ts';
import { attributesSchema, parseBody, tagsOf, tagsSchema, timesOf } from '../fields.ts';
import type { OperationRequest, Reply } from '../operation.ts';
import { secondsOf, type Vault } from '../vault.ts';
import { keyReply } from './bundle.ts';
import { materialOf, type KeyMaterial } from './key-material.ts';
import { keyOpsOf } from './key-ops.ts';
import { jwkSchema, privateKeyFromJwk, type Jwk } from './jwk.ts';
import { keyTagLength, keyTypeOf, refuseRelease } from './key-request.ts';
import { createKeyVersion, familyOf, type KeyType } from './key-version.ts';
import { unwrapTransferBlob } from './transfer-blob.ts';

const importBody = z.object({
  Hsm: z.boolean().optional(),
  key: z.unknown(),
  attributes: attributesSchema.optional(),
  tags: tagsSchema(keyTagLength).optional(),
  release_policy: z.unknown().optional(),
});

/** Takes a JWK with its private part, or one whose `key_hsm` holds a transfer blob (bring your own key). */
export function importKey(request: OperationRequest): Reply {
  const { vault, name } = request;
  const body = parseBody(importBody, request.body);
  refuseRelease(body);
  const jwk = jwkSchema.safeParse(body.key);
  if (!jwk.success) throw badParameter("'key' must be a valid JsonWebKey.");
  const kty = keyTypeOf(vault, jwk.data.kty, body.Hsm);
  const keyOps = keyOpsOf(familyOf(kty), jwk.data.key_ops);
  vault.keys.assertWritable(name);
  const material = importedMaterial(vault, jwk.data, kty);
  const properties = { kty, keyOps, ...timesOf(body.attributes), ...tagsOf(body.tags) };
  const version = createKeyVersion(material, properties, secondsOf(vault.now()));
  return keyReply(request, vault.keys.add(name, version), version);
}

function importedMaterial(vault: Vault, jwk: Jwk, kty: KeyType): KeyMaterial {
  if (jwk.key_hsm === undefined) return materialOf(privateKeyFromJwk(jwk, familyOf(kty)));
  const material = materialOf(unwrapTransferBlob(vault, jwk.key_hsm));
  const curve = 'crv' in material.publicKey ? material.publicKey.crv : undefined;
  const family = curve === undefined ? 'RSA' : 'EC';
  if (family !== familyOf(kty)) throw badParameter(`The transferred key isn't of type ${kty}.`);
  if (jwk.crv !== curve) throw badParameter("The transferred key isn't on the curve that 'crv' names.");
  return material;
}
