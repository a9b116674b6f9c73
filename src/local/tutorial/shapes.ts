import { z } from 'zod';

/** What is read from Vault's API, as far as the tutorial looks at it. */
export const statusShape = z.object({ initialized: z.boolean(), sealed: z.boolean() });

export const mountsShape = z.record(z.string(), z.object({ type: z.string() }));

export const keyShape = z.object({
  name: z.string(),
  type: z.string(),
  latest_version: z.number(),
  min_enabled_version: z.number(),
  versions: z.record(z.string(), z.object({ public_key: z.string() })),
});

/** Strict: a field too many could be a credential. */
export const providerShape = z.strictObject({ provider: z.string(), key_collection: z.string() });

export const distributionShape = z.object({
  /** The key's name in the vault. */
  name: z.string(),
  purpose: z.string(),
  protection: z.string(),
  /** Version -> the vault's id of it. */
  versions: z.record(z.string(), z.string()),
});

export const listShape = z.array(z.string());

export type Key = z.infer<typeof keyShape>;
export type Distribution = z.infer<typeof distributionShape>;
