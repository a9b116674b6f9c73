import type { EntraStandIn } from '../entra/index.ts';
import { loopbackNamesVariable } from '../loopback-names.ts';
import { cloudsSetting, loopbackNames } from '../azure/clouds.ts';
import type { Identities } from './identities.ts';
import { apiAudience, tenantId } from './identities.ts';
import { rootKeyName } from './root-key.ts';

/**
 * @returns the app settings that point the service at this platform, by the names they have in Azure, followed by what
 * a process needs to trust and to find the platform
 */
export function appSettings(options: {
  entra: EntraStandIn;
  identities: Identities;
  tables: string;
  homeVaultUri: string;
  keyVaultPort: number;
  serviceBusPort: number;
  caFile: string;
  vaults: readonly { name: string; dnsSuffix: string }[];
}): Record<string, string> {
  const { entra, identities, tables, homeVaultUri, keyVaultPort, serviceBusPort, caFile, vaults } = options;
  return {
    FUNCTIONS_WORKER_RUNTIME: 'node',
    KEYFLEET_TENANT_ID: tenantId,
    KEYFLEET_AUDIENCE: apiAudience,
    KEYFLEET_IDENTITY_CLIENT_ID: identities.service.clientId,
    KEYFLEET_TABLES_ENDPOINT: tables,
    KEYFLEET_HOME_VAULT_URI: homeVaultUri,
    KEYFLEET_ROOT_KEY_NAME: rootKeyName,
    KEYFLEET_CLOUDS: cloudsSetting(new URL(entra.authorityHost).port, keyVaultPort),
    ServiceBus__fullyQualifiedNamespace: `keyfleet.servicebus.localhost:${serviceBusPort}`,
    ServiceBus__credential: 'managedidentity',
    ServiceBus__clientId: identities.service.clientId,
    IDENTITY_ENDPOINT: entra.identityEndpoint,
    IDENTITY_HEADER: identities.service.identityHeader,
    NODE_EXTRA_CA_CERTS: caFile,
    [loopbackNamesVariable]: JSON.stringify(loopbackNames(vaults)),
  };
}
