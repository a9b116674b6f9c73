/** Endpoints of one Azure cloud. */
export interface Cloud {
  /** Entra's address, e.g. `https://login.microsoftonline.com`. */
  authorityHost: string;
  /** What follows the vault's name and a dot, e.g. `vault.azure.net`; may end in a port. */
  keyVaultDnsSuffix: string;
  /** Whether Entra's public instance discovery knows `authorityHost`. */
  isPublic: boolean;
}

export const defaultCloudName = 'AzurePublicCloud';

const knownClouds: Record<string, Cloud> = {
  AzurePublicCloud: {
    authorityHost: 'https://login.microsoftonline.com',
    keyVaultDnsSuffix: 'vault.azure.net',
    isPublic: true,
  },
  AzureUSGovernmentCloud: {
    authorityHost: 'https://login.microsoftonline.us',
    keyVaultDnsSuffix: 'vault.usgovcloudapi.net',
    isPublic: true,
  },
  AzureChinaCloud: {
    authorityHost: 'https://login.chinacloudapi.cn',
    keyVaultDnsSuffix: 'vault.azure.cn',
    isPublic: true,
  },
  AzureGermanCloud: {
    authorityHost: 'https://login.microsoftonline.de',
    keyVaultDnsSuffix: 'vault.microsoftazure.de',
    isPublic: true,
  },
};

export interface Clouds {
  names: readonly string[];
  /** @param name compared without case, as Azure's own libraries do */
  find(name: string): Cloud | undefined;
}

/**
 * @param custom clouds that are added to the public ones, or replace one of the same name: air-gapped regions and
 * Azure Stack Hub have endpoints of their own
 */
export function createClouds(custom: Record<string, Omit<Cloud, 'isPublic'>>): Clouds {
  const clouds = new Map(Object.entries(knownClouds).map(([name, cloud]) => [name.toLowerCase(), { name, cloud }]));
  for (const [name, cloud] of Object.entries(custom)) {
    clouds.set(name.toLowerCase(), { name, cloud: { ...cloud, isPublic: false } });
  }
  return {
    names: [...clouds.values()].map(({ name }) => name),
    find: (name) => clouds.get(name.toLowerCase())?.cloud,
  };
}
