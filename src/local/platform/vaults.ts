import type { AccessPolicyGrant, VaultOptions } from '../key-vault/index.ts';
import type { CloudName } from '../azure/clouds.ts';
import { dnsSuffixOf } from '../azure/clouds.ts';
import type { Identities } from './identities.ts';
import { deployer, providerApplication, tenantId } from './identities.ts';

/** A vault that keys can be distributed to. It uses access policies. */
export interface PlatformVault extends Pick<
  VaultOptions,
  'name' | 'sku' | 'softDeleteRetentionDays' | 'purgeProtection'
> {
  /** AzurePublicCloud unless given. */
  cloud?: CloudName;
  /** Permissions by object id, in the place of what that principal has otherwise. */
  access?: Readonly<Record<string, AccessPolicyGrant>>;
}

export const defaultVaults: readonly PlatformVault[] = [
  { name: 'learn-keyvault', sku: 'premium' },
  { name: 'standard-keyvault', sku: 'standard' },
];

/** The service's own vault, for its root key alone. */
export const homeVaultName = 'keyfleet-home';

/** All that distributing keys takes, and no more. */
const distributorKeyPermissions = ['create', 'delete', 'get', 'import', 'update'];

const cryptoOfficerRole = '14b46e9e-c2b7-41b4-b07b-48a6ebf60603';
const cryptoServiceEncryptionUserRole = 'e147488a-f6f5-4113-8e2d-b22465e65bf6';

/** @returns the home vault followed by the vaults asked for, each with who may do what. */
export function vaultOptions(vaults: readonly PlatformVault[], { service, developer }: Identities): VaultOptions[] {
  const home: VaultOptions = {
    name: homeVaultName,
    sku: 'premium',
    tenantId,
    access: {
      model: 'rbac',
      grants: {
        [service.objectId]: { roles: [cryptoServiceEncryptionUserRole] },
        [deployer.objectId]: { roles: [cryptoOfficerRole] },
      },
    },
  };
  const targets = vaults.map(({ cloud = 'AzurePublicCloud', access, ...vault }): VaultOptions => {
    const grants = {
      [service.objectId]: { keys: distributorKeyPermissions },
      [providerApplication.objectId]: { keys: distributorKeyPermissions },
      [developer.objectId]: { keys: ['all'], secrets: ['all'] },
      ...access,
    };
    const dnsSuffix = dnsSuffixOf(cloud);
    return { ...vault, tenantId, dnsSuffix, access: { model: 'access-policy', grants } };
  });
  return [home, ...targets];
}
