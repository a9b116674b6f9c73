import type { LoopbackNames } from '../loopback-names.ts';
import type { Principal } from '../principals.ts';
import type { ResolvedDescription } from './resolve.ts';
import type { Services } from './services.ts';

/** Where everything is, as plain data: what `.keyfleet/azure.json` holds. */
export interface AzureAddresses {
  /** PEM file of the authority that signed all certificates. */
  caFile: string;
  /** Of Entra: `https://localhost:<port>`. */
  authorityHost: string;
  tenants: readonly string[];
  /** By name. */
  applications: Record<string, Principal>;
  /** For IDENTITY_ENDPOINT. */
  identityEndpoint: string;
  /** By name; `identityHeader` is for IDENTITY_HEADER. */
  managedIdentities: Record<string, Principal & { kind: 'system-assigned' | 'user-assigned'; identityHeader: string }>;
  /** By name: `url` at a port of its own on `localhost`, `uri` by its host name. */
  vaults: Record<string, { url: string; uri: string }>;
  /** Fully qualified namespace: `localhost:<port>`. */
  serviceBus: string;
  /** Endpoint of the storage account's tables. */
  tables: string;
  /** For the environment variable KEYFLEET_LOCAL_NAMES of Node processes, as JSON. */
  loopbackNames: LoopbackNames;
}

export function describeAddresses(
  services: Services,
  { tenants, applications, managedIdentities, vaults }: ResolvedDescription,
  names: LoopbackNames,
): AzureAddresses {
  const { caFile, entra, keyVault, broker, tables } = services;
  return {
    caFile,
    authorityHost: entra.authorityHost,
    tenants,
    applications: mapEntries(applications, ids),
    identityEndpoint: entra.identityEndpoint,
    managedIdentities: mapEntries(managedIdentities, (identity) => ({
      ...ids(identity),
      kind: identity.kind,
      identityHeader: identity.identityHeader,
    })),
    vaults: Object.fromEntries(
      vaults.map(({ name }) => {
        const { url = '', uri = '' } = keyVault.vaults.get(name) ?? {};
        return [name, { url, uri }];
      }),
    ),
    serviceBus: `localhost:${broker.port}`,
    tables,
    loopbackNames: names,
  };
}

const ids = ({ tenantId, clientId, objectId }: Principal): Principal => ({ tenantId, clientId, objectId });

function mapEntries<Value, Result>(
  entries: ReadonlyMap<string, Value>,
  change: (value: Value) => Result,
): Record<string, Result> {
  return Object.fromEntries([...entries].map(([name, value]) => [name, change(value)]));
}
