import { providerApplication, tenantId } from '../../src/local/platform/index.ts';
import type { Api, Reply } from './api.ts';
import type { Hosts } from './hosts.ts';

export const mountPath = 'keymgmt';
export const distributionFields = { purpose: 'encrypt,decrypt', protection: 'hsm' };

/** The service, as callers know it: one of its hosts answers, they don't choose which. */
export interface ServiceClient {
  /** @param path below the mount */
  send(method: Parameters<Api>[1], path: string, options?: Parameters<Api>[3]): Promise<Reply>;
  /** Sends a read again, to another host, until it is answered. */
  read(method: 'GET' | 'LIST', path: string): Promise<Reply>;
}

const mostReads = 50;

export function createServiceClient(api: Api, hosts: Hosts, random: () => number): ServiceClient {
  const send: ServiceClient['send'] = async (method, path, options) =>
    api(await hosts.any(random), method, `${mountPath}/${path}`, options);
  return {
    send,
    async read(method, path) {
      let reply = await send(method, path);
      for (let count = 1; count < mostReads && reply.status !== 200 && reply.status !== 404; count++) {
        reply = await send(method, path);
      }
      return reply;
    },
  };
}

/** Makes the mount, one provider for each vault and named as it, and the keys. Nothing is killed meanwhile. */
export async function setUp(options: {
  api: Api;
  hosts: Hosts;
  random: () => number;
  vaults: readonly string[];
  keys: readonly string[];
}): Promise<void> {
  const { api, hosts, random, vaults, keys } = options;
  const done = async (path: string, body: object): Promise<void> => {
    const { fate, reason } = await api(await hosts.any(random), 'POST', path, { body });
    if (fate !== 'accepted') throw new Error(`setting up ${path} failed: ${reason}`);
  };
  await done(`sys/mounts/${mountPath}`, { type: 'keymgmt' });
  const { clientId, secrets = [] } = providerApplication;
  const credentials = { tenant_id: tenantId, client_id: clientId, client_secret: secrets[0]?.value };
  for (const vault of vaults) {
    await done(`${mountPath}/kms/${vault}`, { provider: 'azurekeyvault', key_collection: vault, credentials });
  }
  await eachAtMost(keysAtOnce, keys, (key) => done(`${mountPath}/key/${key}`, { type: 'rsa-2048' }));
}

const keysAtOnce = 16;

/** Does something for each item, a few at a time. */
export async function eachAtMost<Item>(
  atOnce: number,
  items: readonly Item[],
  act: (item: Item) => Promise<void>,
): Promise<void> {
  const left = items.values();
  const workers = Array.from({ length: atOnce }, async () => {
    for (const item of left) await act(item);
  });
  await Promise.all(workers);
}
