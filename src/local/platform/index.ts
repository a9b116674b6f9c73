import { fileURLToPath } from 'node:url';
import type { TokenCredential } from '@azure/identity';
import { startAppHost } from '../azure/app-host.ts';
import { authorityNames, certificateNames, dnsSuffixOf, loopbackNames, vaultResources } from '../azure/clouds.ts';
import { createCredential } from '../azure/credential.ts';
import type { ServicePorts, VaultBehaviour } from '../azure/service-options.ts';
import { startServices } from '../azure/services.ts';
import type { EntraStandIn } from '../entra/index.ts';
import type { Faults } from '../faults.ts';
import { createFaults } from '../faults.ts';
import type { FunctionsHost, LogSink } from '../functions-host/index.ts';
import type { KeyVaultStandIn } from '../key-vault/index.ts';
import type { ServiceBusStandIn } from '../service-bus/index.ts';
import {
  administratorApplication,
  apiAudience,
  createIdentities,
  deployer,
  providerApplication,
  tenantId,
} from './identities.ts';
import { authorizeOnQueues, queues } from './queues.ts';
import { ensureRootKey } from './root-key.ts';
import { appSettings } from './settings.ts';
import type { PlatformVault } from './vaults.ts';
import { defaultVaults, homeVaultName, vaultOptions } from './vaults.ts';

export type { ServicePorts as PlatformPorts, VaultBehaviour } from '../azure/service-options.ts';
export type { CloudName } from '../azure/clouds.ts';
export { administratorApplication, apiAudience, providerApplication, tenantId } from './identities.ts';
export type { PlatformVault } from './vaults.ts';

export interface PlatformOptions {
  /** Vaults that keys can be distributed to; a premium `learn-keyvault` and a standard `standard-keyvault` by default. */
  vaults?: readonly PlatformVault[];
  ports?: ServicePorts;
  /** Where all but messages is kept for the next start. Absent: nothing is kept. */
  dataDirectory?: string;
  faults?: Faults;
  /** Of the vaults. Tokens keep real time, by which their clients judge them. */
  now?: () => Date;
  /** Of the queues, in the place of real time: messages' times and locks. The app's clock has to agree with it. */
  brokerNow?: () => Date;
  vaultBehaviour?: VaultBehaviour;
  /** What the vaults hold to begin with, by name: a snapshot of theirs. A data directory that has one goes before. */
  vaultContents?: Uint8Array;
  /** What `seed` shall make valid; `root` unless given. */
  rootToken?: string;
  /** Added to the app's settings, or replacing some. */
  settings?: Readonly<Record<string, string>>;
  /** Puts in place what an installation has before its first request. Is waited for. */
  seed?: (platform: Platform) => Promise<void>;
}

export interface HostOptions {
  /** Added to the platform's settings, or replacing some. */
  settings?: Readonly<Record<string, string>>;
  /** Names of functions that this host shall not run. */
  disabledFunctions?: readonly string[];
  /** Absent or 0: any that is free. */
  port?: number;
  log?: LogSink;
}

export interface Platform {
  /** App settings by the names they have in Azure, and what the app's process needs to trust and find the platform. */
  settings: Readonly<Record<string, string>>;
  rootToken: string;
  /** Name -> `https://localhost:<port>`, of the vaults that keys can be distributed to. */
  vaults: ReadonlyMap<string, string>;
  /** May do everything in those vaults, on the queues and in the tables. */
  developer: { identityEndpoint: string; identityHeader: string; credential: TokenCredential };
  /** Speaks for the service's own identity. */
  serviceCredential: TokenCredential;
  /** PEM, and the file that holds it. This process trusts it already. */
  ca: string;
  caFile: string;
  /** Fully qualified namespace: `localhost:<port>`. */
  serviceBus: string;
  /** Endpoint of the storage account's tables. */
  tables: string;
  keyVault: KeyVaultStandIn;
  broker: ServiceBusStandIn;
  entra: EntraStandIn;
  faults: Faults;
  /** Runs the app as it was last built. Several hosts may run at once. */
  startHost(options?: HostOptions): Promise<FunctionsHost>;
  /** Stops the hosts that still run and all stand-ins; with a data directory, after everything was written. */
  stop(): Promise<void>;
}

const projectDirectory = fileURLToPath(new URL('../../../', import.meta.url));

/**
 * Starts Azure on this machine, as far as Keyfleet needs it: Entra and managed identity, vaults (the service's own with
 * its root key among them), Service Bus and Table Storage, on loopback alone. From then on this process trusts the
 * platform's certificates, and knows its names until the platform stops.
 * @throws if a port is taken; nothing is left running then
 */
export async function startPlatform(options: PlatformOptions = {}): Promise<Platform> {
  await using stack = new AsyncDisposableStack();
  const { faults = createFaults(), rootToken = 'root' } = options;
  const identities = createIdentities();
  const targets = options.vaults ?? defaultVaults;
  const named = [
    { name: homeVaultName, dnsSuffix: dnsSuffixOf('AzurePublicCloud') },
    ...targets.map(({ name, cloud = 'AzurePublicCloud' }) => ({ name, dnsSuffix: dnsSuffixOf(cloud) })),
  ];
  const services = await startServices({
    tenants: [tenantId],
    applications: [providerApplication, administratorApplication],
    managedIdentities: [identities.service, identities.developer],
    resources: [
      ...vaultResources.map((audience) => ({ audience, tokenVersion: 1 as const })),
      { audience: apiAudience, tokenVersion: 2 },
    ],
    vaults: vaultOptions(targets, identities),
    queues,
    authorize: authorizeOnQueues(identities),
    authorityNames,
    certificateNames: certificateNames(),
    loopbackNames: loopbackNames(named),
    ports: options.ports ?? {},
    dataDirectory: options.dataDirectory,
    faults,
    now: options.now,
    brokerNow: options.brokerNow,
    vaultBehaviour: options.vaultBehaviour ?? {},
    vaultContents: options.vaultContents,
    prepare: ({ entra, keyVault }) =>
      ensureRootKey({
        vaultUri: keyVault.vaults.get(homeVaultName)?.uri ?? '',
        credential: createCredential(entra, deployer),
      }),
  });
  stack.defer(() => services.stop());
  const { ca, caFile, entra, keyVault, broker, tables } = services;

  const settings = {
    ...appSettings({
      entra,
      identities,
      tables,
      homeVaultUri: keyVault.vaults.get(homeVaultName)?.uri ?? '',
      keyVaultPort: keyVault.port,
      serviceBusPort: broker.port,
      caFile,
      vaults: named,
    }),
    ...options.settings,
  };
  const serviceCredential = createCredential(entra, identities.service);
  const hosts = new Set<FunctionsHost>();
  stack.defer(async () => {
    await Promise.all([...hosts].map((host) => host.stop()));
  });

  const platform: Platform = {
    settings,
    rootToken,
    vaults: new Map(targets.map(({ name }) => [name, keyVault.vaults.get(name)?.url ?? ''])),
    developer: {
      identityEndpoint: entra.identityEndpoint,
      identityHeader: identities.developer.identityHeader,
      credential: createCredential(entra, identities.developer),
    },
    serviceCredential,
    ca,
    caFile,
    serviceBus: `localhost:${broker.port}`,
    tables,
    keyVault,
    broker,
    entra,
    faults,
    async startHost({ settings: changes = {}, disabledFunctions = [], port = 0, log } = {}) {
      const disabled = disabledFunctions.map((name) => [`AzureWebJobs.${name}.Disabled`, 'true']);
      const host = await startAppHost({
        directory: projectDirectory,
        settings: { ...settings, ...(Object.fromEntries(disabled) as Record<string, string>), ...changes },
        port,
        serviceBusCredential: serviceCredential,
        ...(log && { log }),
      });
      hosts.add(host);
      return host;
    },
    stop: () => running.disposeAsync(),
  };
  await options.seed?.(platform);
  const running = stack.move();
  return platform;
}
