import { setTimeout as sleep } from 'node:timers/promises';
import { providerApplication, startPlatform, tenantId, type Platform } from '../../src/local/platform/index.ts';
import { seedRootToken } from '../../src/local/seed.ts';
import { forgetInstances } from '../harness/forget-instances.ts';
import { printErrors } from '../harness/host-log.ts';
import { createVaultClient, type VaultClient } from '../harness/vault-client.ts';
import { countCalls, type CountedCalls } from './counted-calls.ts';

export const vaultNames = ['first-vault', 'second-vault', 'third-vault'] as const;
export type VaultName = (typeof vaultNames)[number];

/** Keys of one service that distributes to some vaults. */
export interface Fleet {
  createKey(key: string): Promise<void>;
  /** Returns when every version of the key is in every one of the vaults. */
  distribute(key: string, vaults: readonly VaultName[]): Promise<void>;
  rotate(key: string): Promise<void>;
  /** Rotates all keys at once; returns when the new version of each is in every one of the vaults. */
  rotateWave(keys: readonly string[], vaults: readonly VaultName[]): Promise<void>;
}

export interface FleetPlatform {
  /**
   * Starts the service's host, which remembers nothing of an earlier one, and stops it again.
   * @param prepare what isn't counted
   * @returns the calls that `act` led to, until the host stopped
   */
  count(act: (fleet: Fleet) => Promise<void>, prepare?: (fleet: Fleet) => Promise<void>): Promise<CountedCalls>;
  [Symbol.asyncDispose](): Promise<void>;
}

const deadlineMilliseconds = 60_000;
const betweenReadsMilliseconds = 100;

/** Starts a platform with one provider for each vault, named as the vault. */
export async function startFleetPlatform(): Promise<FleetPlatform> {
  const platform = await startPlatform({
    vaults: vaultNames.map((name) => ({ name, sku: 'premium' })),
    seed: seedRootToken,
  });
  try {
    await withHost(platform, setUpProviders);
  } catch (error) {
    await platform.stop();
    throw error;
  }
  const isTarget = (vault: string) => (vaultNames as readonly string[]).includes(vault);
  return {
    async count(act, prepare) {
      let callsBefore = 0;
      await withHost(platform, async (client) => {
        const fleet = createFleet(client);
        await prepare?.(fleet);
        callsBefore = platform.keyVault.calls.length;
        await act(fleet);
      });
      return countCalls(platform.keyVault.calls.slice(callsBefore), isTarget);
    },
    [Symbol.asyncDispose]: () => platform.stop(),
  };
}

async function withHost(platform: Platform, use: (client: VaultClient) => Promise<void>): Promise<void> {
  const host = await platform.startHost({ log: printErrors });
  try {
    await use(createVaultClient(host.url, platform.rootToken));
  } finally {
    await host.stop();
    await forgetInstances(platform);
  }
}

async function setUpProviders(client: VaultClient): Promise<void> {
  await client.call('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' });
  const { clientId, secrets = [] } = providerApplication;
  for (const name of vaultNames) {
    await client.call('POST', `keymgmt/kms/${name}`, {
      provider: 'azurekeyvault',
      key_collection: name,
      credentials: { tenant_id: tenantId, client_id: clientId, client_secret: secrets[0]?.value },
    });
  }
}

function createFleet(client: VaultClient): Fleet {
  async function rotate(key: string): Promise<void> {
    await client.call('POST', `keymgmt/key/${key}/rotate`);
  }

  async function waitUntilPlaced(key: string, vault: VaultName): Promise<void> {
    const { latest_version: latestVersion } = await client.call('GET', `keymgmt/key/${key}`);
    const deadline = performance.now() + deadlineMilliseconds;
    for (;;) {
      const { versions } = await client.call('GET', `keymgmt/kms/${vault}/key/${key}`);
      if (String(latestVersion) in (versions as object)) return;
      if (performance.now() > deadline) throw new Error(`"${key}" did not get into "${vault}" in time`);
      await sleep(betweenReadsMilliseconds);
    }
  }

  return {
    rotate,
    async createKey(key) {
      await client.call('POST', `keymgmt/key/${key}`, { type: 'rsa-2048' });
    },
    async distribute(key, vaults) {
      for (const vault of vaults) {
        await client.call('POST', `keymgmt/kms/${vault}/key/${key}`, {
          purpose: 'encrypt,decrypt',
          protection: 'hsm',
        });
        await waitUntilPlaced(key, vault);
      }
    },
    async rotateWave(keys, vaults) {
      await Promise.all(keys.map(rotate));
      await Promise.all(keys.flatMap((key) => vaults.map((vault) => waitUntilPlaced(key, vault))));
    },
  };
}
