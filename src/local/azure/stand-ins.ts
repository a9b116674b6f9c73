import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Certificates } from '../certificates.ts';
import { trustInThisProcess } from '../certificates.ts';
import { startEntra } from '../entra/index.ts';
import type { KeyVaultStandIn } from '../key-vault/index.ts';
import { startKeyVault } from '../key-vault/index.ts';
import { startServiceBus } from '../service-bus/index.ts';
import type { DataDirectory } from './data-directory.ts';
import type { ServicesOptions, StandIns } from './service-options.ts';

const saveEveryMilliseconds = 5_000;

/**
 * Starts the Azure services that run in this process, and makes it trust them.
 * @param options.directory for the CA's file
 * @param options.data for what the next start shall find again
 * @param options.stack is given what there is to stop, as soon as it runs
 * @throws if a port is taken
 */
export async function startStandIns(
  options: ServicesOptions & {
    certificates: Certificates;
    directory: string;
    data: DataDirectory | undefined;
    stack: AsyncDisposableStack;
  },
): Promise<StandIns> {
  const { certificates, directory, data, faults, stack, ports = {}, now = () => new Date() } = options;
  const tls = { key: certificates.privateKey, cert: certificates.certificate };
  const caFile = join(directory, 'ca.pem');
  await writeFile(caFile, certificates.caCertificate);
  trustInThisProcess(certificates.caCertificate);

  const entra = await startEntra({
    tenants: options.tenants,
    applications: options.applications,
    managedIdentities: options.managedIdentities,
    resources: options.resources,
    tls: certificates,
    faults,
    now: () => new Date(),
    authorityNames: options.authorityNames,
    port: ports.entra,
    identityPort: ports.identity,
  });
  stack.defer(() => entra.stop());

  const askedPort = ports.keyVault ?? 0;
  const snapshot = (await data?.readKeyVault()) ?? options.vaultContents;
  const keyVault = await startKeyVault({
    vaults: options.vaults,
    tls,
    verify: entra.verify,
    authorityHost: entra.authorityHost,
    faults,
    now,
    port: data ? await data.keyVaultPort(askedPort) : askedPort,
    ...options.vaultBehaviour,
    ...(snapshot && { snapshot }),
  });
  stack.defer(() => keyVault.stop());
  if (data) {
    await data.keepKeyVaultPort(keyVault.port);
    stack.defer(keepVaults(keyVault, data));
  }

  const broker = await startServiceBus({
    queues: options.queues,
    topics: options.topics ?? [],
    tls,
    verify: entra.verify,
    authorize: options.authorize,
    faults,
    now: options.brokerNow ?? (() => new Date()),
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
