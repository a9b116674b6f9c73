import { z } from 'zod';
import { badParameter, invalidProperty } from './errors.ts';

const maximumTags = 15;

/** Attributes as clients send them; times are Unix seconds (negative ones too: clients truncate dates after 2038). */
export const attributesSchema = z.object({
  enabled: z.boolean().optional(),
  nbf: z.int().optional(),
  exp: z.int().optional(),
  exportable: z.boolean().optional(),
});

export type Attributes = z.infer<typeof attributesSchema>;

/** @param maximumLength characters in a tag's name, and in its value */
export const tagsSchema = (maximumLength: number) =>
  z
    .record(z.string().max(maximumLength), z.string().max(maximumLength))
    .refine((tags) => Object.keys(tags).length <= maximumTags);

/** @throws KeyVaultError 400 naming the first property that is wrong */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const path = parsed.error.issues[0]?.path.join('.') ?? '';
  throw path === '' ? badParameter('The request needs a JSON object as its body.') : invalidProperty(path);
}

/** Decodes base64url, padded or not. @throws KeyVaultError 400 */
export function decodeBase64Url(text: string, property: string): Buffer {
  if (!/^[A-Za-z0-9_-]*={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1) {
    throw badParameter(`The content of '${property}' isn't base64url.`);
  }
  return Buffer.from(text, 'base64url');
}

/** Attributes as stored, for a new version. */
export function timesOf(attributes: Attributes | undefined): {
  enabled: boolean;
  notBefore?: number;
  expires?: number;
} {
  return {
    enabled: attributes?.enabled ?? true,
    ...(attributes?.nbf === undefined ? {} : { notBefore: attributes.nbf }),
    ...(attributes?.exp === undefined ? {} : { expires: attributes.exp }),
  };
}

/** Tags as stored: none at all rather than an empty map, since answers leave an empty map out. */
export function tagsOf(tags: Record<string, string> | undefined): { tags?: Record<string, string> } {
  return tags && Object.keys(tags).length > 0 ? { tags } : {};
}
