import { z } from 'zod';
import { invalidProperty } from '../errors.ts';
import { attributesSchema, parseBody, tagsOf, tagsSchema, timesOf } from '../fields.ts';
import type { OperationRequest, Reply } from '../operation.ts';
import { secondsOf } from '../vault.ts';
import { keyReply } from './bundle.ts';
import type { CurveName, KeyMaterial } from './key-material.ts';
import { keyOpsOf } from './key-ops.ts';
import { curveOf, keyTagLength, keyTypeOf, refuseRelease, rsaBitsOf } from './key-request.ts';
import { createKeyVersion, familyOf } from './key-version.ts';

/** Makes key material; the caller bounds how many run at once. */
export type GenerateMaterial = (spec: { rsaBits: number } | { curve: CurveName }) => Promise<KeyMaterial>;

const createBody = z.object({
  kty: z.string(),
  key_size: z.int().optional(),
  key_ops: z.array(z.string()).optional(),
  crv: z.string().optional(),
  attributes: attributesSchema.optional(),
  tags: tagsSchema(keyTagLength).optional(),
  release_policy: z.unknown().optional(),
});

export function createCreate(generate: GenerateMaterial): (request: OperationRequest) => Promise<Reply> {
  return async (request) => {
    const { vault, name } = request;
    const body = parseBody(createBody, request.body);
    const kty = keyTypeOf(vault, body.kty);
    const family = familyOf(kty);
    const keyOps = keyOpsOf(family, body.key_ops);
    refuseRelease(body);
    if (family === 'RSA' && body.crv !== undefined) throw invalidProperty('crv');
    if (family === 'EC' && body.key_size !== undefined) throw invalidProperty('key_size');
    const spec = family === 'RSA' ? { rsaBits: rsaBitsOf(body.key_size) } : { curve: curveOf(body.crv) };
    vault.keys.assertWritable(name);
    const material = await generate(spec);
    const properties = { kty, keyOps, ...timesOf(body.attributes), ...tagsOf(body.tags) };
    const version = createKeyVersion(material, properties, secondsOf(vault.now()));
    return keyReply(request, vault.keys.add(name, version), version);
  };
}
