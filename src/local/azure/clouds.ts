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

export const cloudNames = Object.keys(localClouds) as [CloudName, ...CloudName[]];

export const dnsSuffixOf = (cloud: CloudName): string => localClouds[cloud].keyVaultDnsSuffix;

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

/**
 * @returns the names to resolve where there are these vaults: in a domain of vaults, one that isn't among them has no
 * address
 */
export function loopbackNames(vaults: readonly { name: string; dnsSuffix: string }[]): LoopbackNames {
  const suffixes = new Set([
    ...all.map(({ keyVaultDnsSuffix }) => keyVaultDnsSuffix),
    ...vaults.map((vault) => vault.dnsSuffix),
  ]);
  const zones = [...suffixes].map((suffix): [string, string[]] => [
    suffix,
    vaults.filter(({ dnsSuffix }) => dnsSuffix === suffix).map(({ name }) => name.toLowerCase()),
  ]);
  return { domains: ['localhost'], zones: Object.fromEntries(zones) };
}
