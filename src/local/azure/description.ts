import { z } from 'zod';
import { cloudNames, dnsSuffixOf } from './clouds.ts';
import { checkAccess, checkQueue } from './description-checks.ts';

/** What the description of an Azure says is wrong; the message has a line for each problem, led by its path. */
export class DescriptionError extends Error {
  override readonly name = 'DescriptionError';
}

export const defaultTenantId = 'cd4bf224-d114-4f96-9bbc-b8f45751c43f';

const guid = z.guid().transform((text) => text.toLowerCase());
const port = z.int().min(0).max(65_535);
const positive = z.number().positive();
const name = z.string().min(1);
const moment = z.union([z.date(), z.iso.datetime({ offset: true }).transform((text) => new Date(text))]);
const appRoles = z.record(z.string(), z.array(z.string())).optional();

const principal = {
  /** By which the description, and who uses the result, refers to it. */
  name,
  tenantId: guid.optional(),
  clientId: guid.optional(),
  objectId: guid.optional(),
  appRoles,
};

const application = z.strictObject({
  ...principal,
  secrets: z
    .array(
      z.union([
        z.string().transform((value) => ({ value })),
        z.strictObject({ value: z.string(), expiresAt: moment.exactOptional() }),
      ]),
    )
    .default([]),
  federatedCredentials: z
    .array(z.strictObject({ issuer: z.url(), subject: z.string(), audience: z.string() }))
    .default([]),
});

const managedIdentity = z.strictObject({
  ...principal,
  kind: z.enum(['system-assigned', 'user-assigned']).default('system-assigned'),
  identityHeader: z.string().min(1).optional(),
  resourceId: z.string().exactOptional(),
});

const limit = z.int().positive().exactOptional();
const throttling = z.strictObject({
  retryAfterSeconds: z.int().nonnegative().exactOptional(),
  limits: z
    .strictObject({
      createHsmKey: limit,
      createSoftwareKey: limit,
      useHsmRsa2048: limit,
      useHsmRsa3072: limit,
      useHsmRsa4096: limit,
      useHsmEc: limit,
      useSoftwareRsa2048: limit,
      useSoftwareRsa3072: limit,
      useSoftwareRsa4096: limit,
      useSoftwareEc: limit,
      import: limit,
      other: limit,
    })
    .exactOptional(),
});

const words = z.array(z.string()).exactOptional();
const access = z
  .discriminatedUnion('model', [
    z.strictObject({
      model: z.literal('access-policy'),
      grants: z.record(z.string(), z.strictObject({ keys: words, secrets: words })),
    }),
    z.strictObject({
      model: z.literal('rbac'),
      grants: z.record(z.string(), z.strictObject({ roles: words, dataActions: words })),
    }),
  ])
  .superRefine(checkAccess);

const vault = z
  .strictObject({
    name: z
      .string()
      .regex(
        /^(?!.*--)[a-zA-Z][0-9a-zA-Z-]{1,22}[0-9a-zA-Z]$/,
        'a vault has 3 to 24 letters, digits and single hyphens, the first a letter',
      ),
    sku: z.enum(['standard', 'premium']).default('premium'),
    tenantId: guid.optional(),
    cloud: z.enum(cloudNames).optional(),
    dnsSuffix: z
      .string()
      .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)*\.localhost$/, 'a name that ends in .localhost')
      .optional(),
    access: access.optional(),
    softDeleteRetentionDays: z.int().min(7).max(90).exactOptional(),
    purgeProtection: z.boolean().exactOptional(),
    port: port.exactOptional(),
    throttling: z.union([z.boolean(), throttling]).default(false),
  })
  .refine(({ cloud, dnsSuffix }) => cloud === undefined || dnsSuffix === undefined, 'either cloud or dnsSuffix')
  .transform(({ cloud, dnsSuffix, throttling: asked, ...rest }) => ({
    ...rest,
    dnsSuffix: dnsSuffix ?? dnsSuffixOf(cloud ?? 'AzurePublicCloud'),
    ...(asked !== false && { throttle: asked === true ? {} : asked }),
  }));

const entity = {
  name,
  requiresDuplicateDetection: z.boolean().exactOptional(),
  duplicateDetectionHistoryTimeWindowSeconds: positive.exactOptional(),
  defaultMessageTimeToLiveSeconds: positive.exactOptional(),
  maxMessageSizeBytes: z.int().positive().exactOptional(),
};
const receiving = {
  requiresSession: z.boolean().exactOptional(),
  lockDurationSeconds: positive.exactOptional(),
  maxDeliveryCount: z.int().positive().exactOptional(),
  defaultMessageTimeToLiveSeconds: positive.exactOptional(),
  deadLetteringOnMessageExpiration: z.boolean().exactOptional(),
};
const text = z.string().exactOptional();
const subscription = z.strictObject({
  name,
  ...receiving,
  correlationFilter: z
    .strictObject({
      correlationId: text,
      messageId: text,
      to: text,
      replyTo: text,
      subject: text,
      sessionId: text,
      replyToSessionId: text,
      contentType: text,
      applicationProperties: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).exactOptional(),
    })
    .exactOptional(),
});

const queue = z.strictObject({ ...entity, ...receiving }).superRefine(checkQueue);
const topic = z
  .strictObject({ ...entity, subscriptions: z.array(subscription.superRefine(checkQueue)) })
  .superRefine(checkQueue);

/** As the built-in roles are called. */
export const messagingRoles = [
  'Azure Service Bus Data Owner',
  'Azure Service Bus Data Sender',
  'Azure Service Bus Data Receiver',
] as const;

export const descriptionSchema = z.strictObject({
  tenants: z.array(guid).min(1).default([defaultTenantId]),
  applications: z.array(application).default([]),
  managedIdentities: z.array(managedIdentity).default([]),
  resources: z
    .array(
      z.union([
        z.string().transform((audience) => ({ audience, tokenVersion: 2 as const })),
        z.strictObject({ audience: z.string(), tokenVersion: z.union([z.literal(1), z.literal(2)]) }),
      ]),
    )
    .default([]),
  vaults: z.array(vault).default([]),
  vaultBehaviour: z
    .strictObject({
      deletionLagMilliseconds: z.number().nonnegative().exactOptional(),
      recoveryLagMilliseconds: z.number().nonnegative().exactOptional(),
      disabledKeysStillUsePublicKey: z.boolean().exactOptional(),
    })
    .default({}),
  queues: z.array(queue).default([]),
  topics: z.array(topic).default([]),
  messagingRoles: z
    .array(z.strictObject({ principal: name, role: z.enum(messagingRoles), entity: name.optional() }))
    .optional(),
  ports: z
    .strictObject({
      entra: port.exactOptional(),
      identity: port.exactOptional(),
      keyVault: port.exactOptional(),
      serviceBus: port.exactOptional(),
      tables: port.exactOptional(),
    })
    .default({}),
});

/**
 * An Azure as it is to be, as JSON has it or as an object. All of it is optional.
 *
 * - `tenants`: ids; the first is everybody's who names none.
 * - `applications`, `managedIdentities`: each has a `name`; ids that aren't given follow from it, the same every time.
 * - `resources`: what tokens may be asked for beside vaults, Storage and Service Bus; by itself a string means version 2.
 * - `vaults`: `access.grants` name applications and identities, or hold object ids; without `access` every application
 *   and identity may do everything. `throttling: true` means the limits of the service.
 * - `queues`, `topics`: with the properties of Service Bus, in the units that their names say.
 * - `messagingRoles`: who may send and receive where; absent: everybody, everywhere. Without `entity`: in the namespace.
 * - `ports`: absent or 0 for any that is free.
 */
export type AzureDescription = z.input<typeof descriptionSchema>;

export type CheckedDescription = z.output<typeof descriptionSchema>;
