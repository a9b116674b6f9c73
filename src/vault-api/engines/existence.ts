import type { KeyManagement } from '../../keymgmt/index.ts';
import type { KeyValue } from '../../kv/index.ts';
import type { ExistenceCheck, ExistenceQuestion } from '../policies/existence.ts';

/** What of the engines' data policies can tell creating from updating of, as with Vault. */
export function createExistenceChecks(
  { keys, providers, distributions }: KeyManagement,
  { secrets }: KeyValue,
): ExistenceCheck[] {
  return [
    {
      mountType: 'keymgmt',
      path: 'key/:name',
      exists: async ({ mount, parameters: { name = '' } }) =>
        (await keys.read({ mount: mount.uuid, key: name })) !== undefined,
    },
    {
      mountType: 'keymgmt',
      path: 'kms/:name',
      exists: async ({ mount, parameters: { name = '' } }) =>
        (await providers.read({ mount: mount.uuid, provider: name })) !== undefined,
    },
    {
      mountType: 'keymgmt',
      path: 'kms/:name/key/:key_name',
      exists: async ({ mount, parameters: { name = '', key_name = '' } }) =>
        (await distributions.read({ mount: mount.uuid, provider: name, key: key_name })) !== undefined,
    },
    ...['data/*path', 'metadata/*path'].map((route) => ({
      mountType: 'kv',
      path: route,
      exists: async ({ mount, parameters: { path = '' } }: ExistenceQuestion) =>
        (await secrets.readMetadata({ mount: mount.uuid, path })) !== undefined,
    })),
  ];
}
