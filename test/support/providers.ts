import type { KeyClient } from '@azure/keyvault-keys';
import { keymgmtAt, type Keymgmt } from './keymgmt.ts';
import { keyClient, providerFields, startService, type Service } from './service.ts';
import type { SeenVersion } from './vault-contents.ts';

/** The vault behind each provider. */
export const vaultNames = { premium: 'learn-keyvault', standard: 'standard-keyvault', other: 'other-keyvault' };

export type Provider = keyof typeof vaultNames;

/** A service with one Key Management mount, which has a provider for each of three vaults. */
export interface Providers {
  service: Service;
  keymgmt: Keymgmt;
  /** Somebody who may do everything in the provider's vault. */
  clientOf(this: void, provider: Provider): KeyClient;
  /** The versions that a provider's vault (`premium` unless named) has of a key. */
  seen(this: void, key: string, provider?: Provider): Promise<SeenVersion[]>;
}

export async function startProviders(mount: string): Promise<Providers> {
  const service = await startService({
    platform: {
      vaults: [
        { name: vaultNames.premium, sku: 'premium' },
        { name: vaultNames.other, sku: 'premium' },
        { name: vaultNames.standard, sku: 'standard' },
      ],
    },
    // Generating RSA-4096 keys on a busy machine takes its time; nothing here is about running out of it.
    settings: { KEYFLEET_WAIT_SECONDS: '20' },
  });
  await service.vault('POST', `sys/mounts/${mount}`, { type: 'keymgmt' });
  const keymgmt = keymgmtAt(service, mount);
  for (const [name, vaultName] of Object.entries(vaultNames)) {
    await keymgmt.done('PUT', `kms/${name}`, providerFields(vaultName));
  }
  return {
    service,
    keymgmt,
    clientOf: (provider) => keyClient(service.platform, vaultNames[provider]),
    seen: (key, provider = 'premium') => keymgmt.seen(`kms/${provider}/key/${key}`, vaultNames[provider]),
  };
}
