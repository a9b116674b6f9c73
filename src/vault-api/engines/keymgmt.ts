import { KeyfleetError } from '../../errors.ts';
import type { DistributionView } from '../../keymgmt/distributions.ts';
import type { KeyManagement } from '../../keymgmt/index.ts';
import type { KeyView } from '../../keymgmt/keys.ts';
import type { ProviderView } from '../../keymgmt/providers.ts';
import type { Outcome } from '../../keymgmt/settlement.ts';
import { statusData } from './keymgmt-status.ts';
import { defineRoute, type Engine, type Reply } from '../engine.ts';
import { previewReply } from './keymgmt-preview.ts';

/** Keys on a page of a status. */
const defaultLimit = 100;
const mostLimit = 1000;

/** Vault's Key Management engine: its paths and fields, and the shapes in which real ones were seen to answer. */
export function createKeyManagementEngine({ keys, providers, distributions, previews, status }: KeyManagement): Engine {
  return {
    type: 'keymgmt',
    routes: [
      defineRoute({
        path: 'key',
        synopsis: 'Lists the keys.',
        fields: {},
        list: async ({ mount }) => ({ keys: await keys.list(mount.uuid) }),
      }),

      defineRoute({
        path: 'key/:name',
        synopsis: 'Creates, reads, changes or deletes a key.',
        fields: {
          type: { type: 'string', description: 'rsa-2048 (default), rsa-3072 or rsa-4096. Set once.' },
          replica_regions: { type: 'list', description: 'For AWS only; must be empty.' },
          min_enabled_version: {
            type: 'integer',
            description: 'Versions below are disabled in every vault; 0 enables all.',
          },
          deletion_allowed: { type: 'boolean', description: 'Whether the key may be deleted.' },
        },
        supportsDryRun: true,
        async read({ mount, parameters }) {
          const key = await keys.read({ mount: mount.uuid, key: parameters.name });
          return key && { data: keyData(key) };
        },
        async write({ mount, parameters, fields, preferAsync, dryRun }) {
          if (fields.replica_regions !== undefined && fields.replica_regions.length > 0) {
            throw new KeyfleetError('invalid_request', 'replica_regions is for AWS keys only: leave it out');
          }
          const given = {
            ...(fields.type !== undefined && { type: fields.type }),
            ...(fields.min_enabled_version !== undefined && { minEnabledVersion: fields.min_enabled_version }),
            ...(fields.deletion_allowed !== undefined && { deletionAllowed: fields.deletion_allowed }),
          };
          const reference = { mount: mount.uuid, key: parameters.name };
          if (dryRun) return previewReply(previews.keys.write(reference, given));
          return toReply(await keys.write(reference, given, { preferAsync }));
        },
        async delete({ mount, parameters, dryRun }) {
          const reference = { mount: mount.uuid, key: parameters.name };
          if (dryRun) return previewReply(previews.keys.delete(reference));
          await keys.delete(reference);
          return {};
        },
      }),

      defineRoute({
        path: 'key/:name/rotate',
        synopsis: 'Makes a new version of a key, here and in every vault it is distributed to.',
        fields: {},
        supportsDryRun: true,
        async write({ mount, parameters, preferAsync, dryRun }) {
          const reference = { mount: mount.uuid, key: parameters.name };
          if (dryRun) return previewReply(previews.keys.rotate(reference));
          return toReply(await keys.rotate(reference, { preferAsync }));
        },
      }),

      defineRoute({
        path: 'key/:name/kms',
        synopsis: 'Lists the providers that a key is distributed to.',
        fields: {},
        list: async ({ mount, parameters }) => ({
          keys: await keys.listProviders({ mount: mount.uuid, key: parameters.name }),
        }),
      }),

      defineRoute({
        path: 'kms',
        synopsis: 'Lists the KMS providers.',
        fields: {},
        list: async ({ mount }) => ({ keys: await providers.list(mount.uuid) }),
      }),

      defineRoute({
        path: 'kms/:name',
        synopsis: 'Creates, reads, changes or deletes a KMS provider.',
        fields: {
          provider: { type: 'string', description: 'azurekeyvault. Set once.' },
          key_collection: { type: 'string', description: 'Name of the Azure Key Vault. Set once.' },
          credentials: {
            type: 'pairs',
            description: 'tenant_id, client_id, client_secret, environment; environment variables win over them.',
          },
          drift: {
            type: 'string',
            description:
              'What is done about changes that somebody makes to keys in the vault: repair (default), report, ignore.',
          },
          subscription_id: {
            type: 'string',
            description: "The vault's subscription: vaults of one subscription and region have common limits.",
          },
          region: { type: 'string', description: "The vault's region." },
        },
        supportsDryRun: true,
        async read({ mount, parameters }) {
          const provider = await providers.read({ mount: mount.uuid, provider: parameters.name });
          return provider && { data: providerData(provider) };
        },
        async write({ mount, parameters, fields, dryRun }) {
          const reference = { mount: mount.uuid, provider: parameters.name };
          const given = {
            ...(fields.provider !== undefined && { provider: fields.provider }),
            ...(fields.key_collection !== undefined && { keyCollection: fields.key_collection }),
            ...(fields.credentials !== undefined && { credentials: fields.credentials }),
            ...(fields.drift !== undefined && { drift: fields.drift }),
            ...(fields.subscription_id !== undefined && { subscriptionId: fields.subscription_id }),
            ...(fields.region !== undefined && { region: fields.region }),
          };
          if (dryRun) return previewReply(previews.providers.write(reference, given));
          await providers.write(reference, given);
          return {};
        },
        async delete({ mount, parameters, dryRun }) {
          const reference = { mount: mount.uuid, provider: parameters.name };
          if (dryRun) return previewReply(previews.providers.delete(reference));
          await providers.delete(reference);
          return {};
        },
      }),

      defineRoute({
        path: 'kms/:name/status',
        synopsis: "Tells what is known of the keys in a KMS provider's vault, and since when.",
        fields: {
          after: { type: 'string', description: 'Only keys whose names follow this one.' },
          limit: { type: 'integer', description: `At most this many keys: ${defaultLimit} (default) to ${mostLimit}.` },
        },
        async read({ mount, parameters, fields }) {
          const limit = fields.limit ?? defaultLimit;
          if (limit < 1 || limit > mostLimit) {
            throw new KeyfleetError('invalid_request', `limit is ${limit}: give 1 to ${mostLimit}`);
          }
          const page = { limit, ...(fields.after !== undefined && { after: fields.after }) };
          const found = await status({ mount: mount.uuid, provider: parameters.name }, page);
          return found && { data: statusData(found) };
        },
      }),

      defineRoute({
        path: 'kms/:name/key',
        synopsis: 'Lists the keys that are distributed to a KMS provider.',
        fields: {},
        list: async ({ mount, parameters }) => ({
          keys: await distributions.list({ mount: mount.uuid, provider: parameters.name }),
        }),
      }),

      defineRoute({
        path: 'kms/:name/key/:key_name',
        synopsis: 'Distributes a key to a KMS provider, reads how far that is, or removes it there.',
        fields: {
          purpose: { type: 'list', description: 'Of encrypt, decrypt, sign, verify, wrap, unwrap. Set once.' },
          protection: { type: 'string', description: 'hsm (default) or software. Set once.' },
        },
        supportsDryRun: true,
        async read({ mount, parameters }) {
          const view = await distributions.read(distributionAt(mount.uuid, parameters));
          return view && { data: distributionData(view), warnings: view.warnings };
        },
        async write({ mount, parameters, fields, preferAsync, dryRun }) {
          const reference = distributionAt(mount.uuid, parameters);
          const given = { purpose: fields.purpose ?? [], protection: fields.protection ?? 'hsm' };
          if (dryRun) return previewReply(previews.distributions.write(reference, given));
          return toReply(await distributions.write(reference, given, { preferAsync }));
        },
        async delete({ mount, parameters, preferAsync, dryRun }) {
          const reference = distributionAt(mount.uuid, parameters);
          if (dryRun) return previewReply(previews.distributions.delete(reference));
          return toReply(await distributions.delete(reference, { preferAsync }));
        },
      }),
    ],

    async beforeDisable(mount) {
      const names = await keys.list(mount.uuid);
      if (names.length === 0) return;
      throw new KeyfleetError(
        'conflict',
        `${mount.path} still has ${names.length} key${names.length === 1 ? '' : 's'} (${names.slice(0, 5).join(', ')}), ` +
          'which disabling would destroy: delete them first',
      );
    },

    async removeAll(mount) {
      for (const provider of await providers.list(mount.uuid)) await providers.delete({ mount: mount.uuid, provider });
    },
  };
}

function distributionAt(mount: string, parameters: { name: string; key_name: string }) {
  return { mount, provider: parameters.name, key: parameters.key_name };
}

function toReply({ warnings }: Outcome): Reply {
  return warnings.length === 0 ? {} : { warnings };
}

function keyData(key: KeyView): Record<string, unknown> {
  return {
    deletion_allowed: key.deletionAllowed,
    latest_version: key.latestVersion,
    min_enabled_version: key.minEnabledVersion,
    name: key.name,
    type: key.type,
    versions: Object.fromEntries(
      key.versions.map(({ version, createdTime, publicKeyPem }) => [
        String(version),
        { creation_time: createdTime.toISOString(), public_key: publicKeyPem },
      ]),
    ),
  };
}

function providerData({
  keyCollection,
  provider,
  drift,
  subscriptionId,
  region,
}: ProviderView): Record<string, unknown> {
  return {
    key_collection: keyCollection,
    provider,
    ...(drift && { drift }),
    ...(subscriptionId !== undefined && { subscription_id: subscriptionId }),
    ...(region !== undefined && { region }),
  };
}

function distributionData(view: DistributionView): Record<string, unknown> {
  return {
    distribution_time: view.distributedTime.toISOString(),
    name: view.kmsName,
    protection: view.protection,
    // One text, not a list: that is what Vault answers and what its web interface splits.
    purpose: view.purpose.join(','),
    versions: Object.fromEntries([...view.versions].map(([version, id]) => [String(version), id])),
  };
}
