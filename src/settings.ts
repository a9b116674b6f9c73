// A namespace import leaves zod's message catalogues out of the bundle.
import * as z from 'zod';
import { KeyfleetError } from './errors.ts';
import { defaultCloudName } from './identity/clouds.ts';
import { mostPairsOfType } from './keymgmt/key-pool.ts';
import { keyTypes } from './keymgmt/key-types.ts';
import { documentedLimits, type CallLimits } from './reconcile/governor/index.ts';

const url = z.url({ protocol: /^https$/ });

/** Templates set what they weren't given to nothing. */
const emptyIsMissing = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema);

const cloudsSchema = z.record(
  z.string().min(1),
  z.strictObject({ authorityHost: url, keyVaultDnsSuffix: z.string().min(1) }),
);

const keyPoolSchema = z.partialRecord(z.enum(keyTypes), z.number().int().min(0).max(mostPairsOfType));

const limit = z.number().positive();

const limitsSchema = z.strictObject(
  Object.fromEntries(
    Object.entries<number>({ ...documentedLimits }).map(([kind, calls]) => [kind, limit.default(calls)]),
  ) as {
    [Kind in keyof CallLimits]: z.ZodDefault<typeof limit>;
  },
);

const settingsSchema = z
  .object({
    /** Table endpoint of the storage account that holds the state. */
    KEYFLEET_TABLES_ENDPOINT: url,
    /** Key Vault that holds the root key. */
    KEYFLEET_HOME_VAULT_URI: url,
    KEYFLEET_ROOT_KEY_NAME: z.string().min(1).default('keyfleet-root'),
    /** The service's own user-assigned identity; absent: the system-assigned one. */
    KEYFLEET_IDENTITY_CLIENT_ID: z.string().min(1).optional(),
    /** Tenant whose callers may sign in, and the client id of the application that stands for this service. */
    KEYFLEET_TENANT_ID: emptyIsMissing(z.guid().optional()),
    KEYFLEET_AUDIENCE: emptyIsMissing(z.string().optional()),
    /** Cloud whose Entra callers sign in to. */
    KEYFLEET_CLOUD: z.string().min(1).default(defaultCloudName),
    /** Requests that one caller may make per second, of one instance. */
    KEYFLEET_REQUESTS_PER_SECOND: z.coerce.number().min(1).default(500),
    /** How long a request waits for the vaults to agree. */
    KEYFLEET_WAIT_SECONDS: z.coerce.number().min(0).max(60).default(5),
    /** Clouds beyond the public ones, as JSON: name -> { authorityHost, keyVaultDnsSuffix }. */
    KEYFLEET_CLOUDS: z
      .string()
      .default('{}')
      .transform((text, context) => parseJson(text, context))
      .pipe(cloudsSchema),
    /** Key pairs that are kept ready, as JSON: type -> how many. */
    KEYFLEET_KEY_POOL: emptyIsMissing(z.string().default('{}'))
      .transform((text, context) => parseJson(text, context))
      .pipe(keyPoolSchema),
    /** Calls that a Key Vault takes within ten seconds, as JSON; what isn't given is as documented. */
    KEYFLEET_KEY_VAULT_LIMITS: z
      .string()
      .default('{}')
      .transform((text, context) => parseJson(text, context))
      .pipe(limitsSchema),
    ServiceBus__fullyQualifiedNamespace: z.string().min(1),
    UV_THREADPOOL_SIZE: z.coerce.number().int().min(1).default(4),
  })
  .transform((settings) => ({
    tablesEndpoint: settings.KEYFLEET_TABLES_ENDPOINT,
    homeVaultUrl: settings.KEYFLEET_HOME_VAULT_URI,
    rootKeyName: settings.KEYFLEET_ROOT_KEY_NAME,
    identityClientId: settings.KEYFLEET_IDENTITY_CLIENT_ID,
    tenantId: settings.KEYFLEET_TENANT_ID,
    audience: settings.KEYFLEET_AUDIENCE,
    cloudName: settings.KEYFLEET_CLOUD,
    requestsPerSecond: settings.KEYFLEET_REQUESTS_PER_SECOND,
    waitSeconds: settings.KEYFLEET_WAIT_SECONDS,
    clouds: settings.KEYFLEET_CLOUDS,
    keyPool: settings.KEYFLEET_KEY_POOL,
    keyVaultLimits: settings.KEYFLEET_KEY_VAULT_LIMITS,
    serviceBusNamespace: settings.ServiceBus__fullyQualifiedNamespace,
    threadPoolSize: settings.UV_THREADPOOL_SIZE,
  }));

export type Settings = z.output<typeof settingsSchema>;

/**
 * Reads the app settings.
 * @throws KeyfleetError `unavailable` naming every setting that is missing or wrong, never a value
 */
export function readSettings(environment: Record<string, string | undefined>): Settings {
  const result = settingsSchema.safeParse(environment);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, code, message }) => {
    const missing = code === 'invalid_type' && environment[String(path[0])] === undefined;
    return `${path.join('.')}: ${missing ? 'is missing' : message}`;
  });
  throw new KeyfleetError('unavailable', `Keyfleet is not configured: ${problems.join('; ')}`);
}

function parseJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'is not JSON' });
    return z.NEVER;
  }
}
