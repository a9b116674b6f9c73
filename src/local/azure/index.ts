import type { TokenCredential } from '@azure/identity';
import type { EntraStandIn } from '../entra/index.ts';
import type { Faults } from '../faults.ts';
import { createFaults } from '../faults.ts';
import type { FunctionsHost, LogSink } from '../functions-host/index.ts';
import type { KeyVaultStandIn } from '../key-vault/index.ts';
import { loopbackNamesVariable } from '../loopback-names.ts';
import type { ServiceBusStandIn } from '../service-bus/index.ts';
import type { AzureAddresses } from './addresses.ts';
import { describeAddresses } from './addresses.ts';
import { startAppHost } from './app-host.ts';
import { authorityNames, certificateNames, loopbackNames, vaultResources } from './clouds.ts';
import { createCredential } from './credential.ts';
import { defaultDescription } from './defaults.ts';
import type { AzureDescription } from './description.ts';
import { resolveDescription } from './resolve.ts';
import { startServices } from './services.ts';

export type { Fault, FaultRule, Faults, TakenFault } from '../faults.ts';
export { createFaults, seededRandom } from '../faults.ts';
export type { AzureAddresses } from './addresses.ts';
export { defaultDescription } from './defaults.ts';
export type { AzureDescription } from './description.ts';
export { DescriptionError } from './description.ts';

export interface AzureOptions {
  faults?: Faults;
  /** Of the vaults, the queues and the timers; tokens keep real time, by which their clients judge them. */
  now?: () => Date;
}

export interface AppOptions {
  /** Root of a function app of the v4 model, with package.json (`main`) and host.json. */
  directory: string;
  /** App settings, the app's whole environment, beside what `identity` needs. */
  settings?: Readonly<Record<string, string>>;
  /** Name of the managed identity that the app, and its triggers, run as; the first of the description unless given. */
  identity?: string;
  /** Absent or 0: any that is free. */
  port?: number;
  /** Opens the admin endpoints, which run a timer on demand, and every function. */
  masterKey?: string;
  log?: LogSink;
}

/** Azure's services on this machine. */
export interface Azure {
  addresses: AzureAddresses;
  /** PEM. This process trusts it already. */
  ca: string;
  /**
   * Speaks for an application or managed identity of the description without asking an endpoint.
   * @throws RangeError if there is none of this name
   */
  credential(name: string): TokenCredential;
  /**
   * What another Node process needs in its environment to find and trust everything as a managed identity.
   * @throws RangeError if there is none of this name
   */
  environment(identity: string): Record<string, string>;
  /** Runs a function app. Several may run at once. */
  startApp(options: AppOptions): Promise<FunctionsHost>;
  keyVault: KeyVaultStandIn;
  serviceBus: ServiceBusStandIn;
  entra: EntraStandIn;
  faults: Faults;
  /** Stops the apps that still run, then everything else. */
  stop(): Promise<void>;
}

/**
 * Starts stand-ins for Entra, managed identity, Key Vault, Service Bus and Table Storage on loopback. From then on this
 * process trusts their certificates, and resolves the vaults' names until they stop.
 * @param description absent: {@link defaultDescription}
 * @throws DescriptionError for a description that Azure would refuse
 * @throws Error if a port is taken; nothing is left running then
 */
export async function startAzure(
  description: AzureDescription = defaultDescription,
  options: AzureOptions = {},
): Promise<Azure> {
  const resolved = resolveDescription(description);
  const { faults = createFaults(), now = () => new Date() } = options;
  const names = loopbackNames(resolved.vaults);
  const resources = new Set([...vaultResources, ...resolved.vaults.map(({ dnsSuffix }) => `https://${dnsSuffix}`)]);
  await using stack = new AsyncDisposableStack();
  const services = await startServices({
    tenants: resolved.tenants,
    applications: [...resolved.applications.values()],
    managedIdentities: [...resolved.managedIdentities.values()],
    resources: [...[...resources].map((audience) => ({ audience, tokenVersion: 1 as const })), ...resolved.resources],
    vaults: resolved.vaults,
    queues: resolved.queues,
    topics: resolved.topics,
    authorize: resolved.authorize,
    authorityNames,
    certificateNames: [...certificateNames(), ...resolved.vaults.map(({ dnsSuffix }) => `*.${dnsSuffix}`)],
    loopbackNames: names,
    ports: resolved.ports,
    faults,
    now,
    brokerNow: now,
    vaultBehaviour: resolved.vaultBehaviour,
  });
  stack.defer(() => services.stop());
  const hosts = new Set<FunctionsHost>();
  stack.defer(async () => {
    await Promise.all([...hosts].map((host) => host.stop()));
  });

  const { entra, ca, caFile, keyVault, broker } = services;
  const addresses = describeAddresses(services, resolved, names);
  const environment = (name: string): Record<string, string> => {
    const identity = resolved.managedIdentities.get(name);
    if (!identity) throw new RangeError(`There is no managed identity '${name}'.`);
    return {
      IDENTITY_ENDPOINT: entra.identityEndpoint,
      IDENTITY_HEADER: identity.identityHeader,
      ...(identity.kind === 'user-assigned' && { AZURE_CLIENT_ID: identity.clientId }),
      NODE_EXTRA_CA_CERTS: caFile,
      [loopbackNamesVariable]: JSON.stringify(names),
    };
  };
  const credential = (name: string): TokenCredential => {
    const principal = resolved.applications.get(name) ?? resolved.managedIdentities.get(name);
    if (!principal) throw new RangeError(`There is no application or managed identity '${name}'.`);
    return createCredential(entra, principal);
  };

  const [firstIdentity] = resolved.managedIdentities.keys();
  const running = stack.move();
  return {
    addresses,
    ca,
    credential,
    environment,
    keyVault,
    serviceBus: broker,
    entra,
    faults,
    async startApp({ directory, settings = {}, identity = firstIdentity, port = 0, masterKey, log }) {
      const host = await startAppHost({
        directory,
        settings: { ...settings, ...(identity !== undefined && environment(identity)) },
        port,
        now,
        ...(identity !== undefined && { serviceBusCredential: credential(identity) }),
        ...(masterKey !== undefined && { masterKey }),
        ...(log && { log }),
      });
      hosts.add(host);
      return host;
    },
    stop: () => running.disposeAsync(),
  };
}
