import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Certificates } from '../certificates.ts';
import { trustInThisProcess } from '../certificates.ts';
import type { EntraStandIn } from '../entra/index.ts';
import { startEntra } from '../entra/index.ts';
import type { Faults } from '../faults.ts';
import type { KeyVaultOptions, KeyVaultStandIn, VaultOptions } from '../key-vault/index.ts';
import { startKeyVault } from '../key-vault/index.ts';
import type { ServiceBusStandIn } from '../service-bus/index.ts';
import { startServiceBus } from '../service-bus/index.ts';
import { authorityNames, vaultResources } from './clouds.ts';
import type { DataDirectory } from './data-directory.ts';
import type { Identities } from './identities.ts';
import { providerApplication, tenantId } from './identities.ts';
import { authorizeOnQueues, queues } from './queues.ts';

/** Absent or 0: any that is free. */
export interface PlatformPorts {
  entra?: number;
  identity?: number;
  keyVault?: number;
  serviceBus?: number;
  tables?: number;
}

/** How the vaults behave in time, and with disabled keys. */
export type VaultBehaviour = Pick<
  KeyVaultOptions,
  'deletionLagMilliseconds' | 'recoveryLagMilliseconds' | 'disabledKeysStillUsePublicKey'
>;

export interface StandIns {
  /** PEM, and the file that holds it. */
  ca: string;
  caFile: string;
  entra: EntraStandIn;
  keyVault: KeyVaultStandIn;
  broker: ServiceBusStandIn;
}

const saveEveryMilliseconds = 5_000;

/**
 * Starts the Azure services that run in this process, and makes it trust them.
 * @param options.directory for the CA's file
 * @param options.data for what the next start shall find again
 * @param options.stack is given what there is to stop, as soon as it runs
 * @throws if a port is taken
 */
export async function startStandIns(options: {
  certificates: Certificates;
  directory: string;
  data: DataDirectory | undefined;
  vaults: readonly VaultOptions[];
  identities: Identities;
  ports: PlatformPorts;
  faults: Faults;
  now: () => Date;
  behaviour: VaultBehaviour;
  stack: AsyncDisposableStack;
}): Promise<StandIns> {
  const { certificates, directory, data, identities, ports, faults, stack } = options;
  const tls = { key: certificates.privateKey, cert: certificates.certificate };
  const caFile = join(directory, 'ca.pem');
  await writeFile(caFile, certificates.caCertificate);
  trustInThisProcess(certificates.caCertificate);

  const entra = await startEntra({
    tenants: [tenantId],
    applications: [providerApplication],
    managedIdentities: [identities.service, identities.developer],
    resources: vaultResources.map((audience) => ({ audience, tokenVersion: 1 })),
    tls: certificates,
    faults,
    now: () => new Date(),
    authorityNames,
    port: ports.entra,
    identityPort: ports.identity,
  });
  stack.defer(() => entra.stop());

  const askedPort = ports.keyVault ?? 0;
  const snapshot = await data?.readKeyVault();
  const keyVault = await startKeyVault({
    vaults: options.vaults,
    tls,
    verify: entra.verify,
    authorityHost: entra.authorityHost,
    faults,
    now: options.now,
    port: data ? await data.keyVaultPort(askedPort) : askedPort,
    ...options.behaviour,
    ...(snapshot && { snapshot }),
  });
  stack.defer(() => keyVault.stop());
  if (data) {
    await data.keepKeyVaultPort(keyVault.port);
    stack.defer(keepVaults(keyVault, data));
  }

  const broker = await startServiceBus({
    queues,
    tls,
    verify: entra.verify,
    authorize: authorizeOnQueues(identities),
    faults,
    now: () => new Date(),
    port: ports.serviceBus ?? 0,
  });
  stack.defer(() => broker.stop());

  return { ca: certificates.caCertificate, caFile, entra, keyVault, broker };
}

/**
 * Writes the vaults every few seconds if anything was called, as the table server does with its tables: a machine that
 * goes down must not leave tables that know of keys which no vault has.
 * @returns stops that, and writes a last time
 */
function keepVaults(keyVault: KeyVaultStandIn, data: DataDirectory): () => Promise<void> {
  let savedCalls = keyVault.calls.length;
  let saving: Promise<void> = Promise.resolve();
  const save = (): Promise<void> => {
    savedCalls = keyVault.calls.length;
    saving = saving.then(() => data.writeKeyVault(keyVault.snapshot()));
    return saving;
  };
  const timer = setInterval(() => {
    if (keyVault.calls.length === savedCalls) return;
    save().catch((error: unknown) => console.error(`The vaults can't be written: ${String(error)}`));
  }, saveEveryMilliseconds);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await save();
  };
}
