import type { LoopbackNames } from '../loopback-names.ts';

/** What a cloud is called here: the names that stand for its authority and its vaults. */
interface LocalCloud {
  authorityName: string;
  keyVaultDnsSuffix: string;
}

export type CloudName = 'AzurePublicCloud' | 'AzureUSGovernmentCloud' | 'AzureChinaCloud' | 'AzureGermanCloud';

/** Azure's clouds, each with an authority and a vault domain of its own. */
export const localClouds: Readonly<Record<CloudName, LocalCloud>> = {
  AzurePublicCloud: { authorityName: 'localhost', keyVaultDnsSuffix: 'vault.localhost' },
  AzureUSGovernmentCloud: { authorityName: 'login.usgov.localhost', keyVaultDnsSuffix: 'vault.usgov.localhost' },
  AzureChinaCloud: { authorityName: 'login.china.localhost', keyVaultDnsSuffix: 'vault.china.localhost' },
  AzureGermanCloud: { authorityName: 'login.german.localhost', keyVaultDnsSuffix: 'vault.german.localhost' },
};

const all = Object.values(localClouds);

/** Names of the authority that the certificate must cover beside those of every platform. */
export const authorityNames = all.map(({ authorityName }) => authorityName).filter((name) => name !== 'localhost');

/** @returns the names that the certificate must cover beside those of every platform. */
export function certificateNames(): string[] {
  return [...authorityNames, ...all.map(({ keyVaultDnsSuffix }) => `*.${keyVaultDnsSuffix}`)].sort();
}

/** What tokens for vaults are issued for: one resource a cloud. */
export const vaultResources = all.map(({ keyVaultDnsSuffix }) => `https://${keyVaultDnsSuffix}`);

/** @returns the value of the KEYFLEET_CLOUDS setting. */
export function cloudsSetting(entraPort: string, keyVaultPort: number): string {
  const clouds = Object.entries(localClouds).map(([name, { authorityName, keyVaultDnsSuffix }]) => [
    name,
    {
      authorityHost: `https://${authorityName}:${entraPort}`,
      keyVaultDnsSuffix: `${keyVaultDnsSuffix}:${keyVaultPort}`,
    },
  ]);
  return JSON.stringify(Object.fromEntries(clouds));
}

/** @returns the names of a platform with these vaults: a vault that isn't among them has no address. */
export function loopbackNames(vaults: readonly { name: string; cloud: CloudName }[]): LoopbackNames {
  const zones = Object.entries(localClouds).map(([cloudName, { keyVaultDnsSuffix }]) => [
    keyVaultDnsSuffix,
    vaults.filter(({ cloud }) => cloud === cloudName).map(({ name }) => name.toLowerCase()),
  ]);
  return { domains: ['localhost'], zones: Object.fromEntries(zones) as Record<string, string[]> };
}
