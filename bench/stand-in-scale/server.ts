/** Serves a vault with as many keys as it is told, and an empty queue; says on demand what that takes in memory. */
import { readFile } from 'node:fs/promises';
import { createCertificates } from '../../src/local/certificates.ts';
import { createFaults } from '../../src/local/faults.ts';
import { startKeyVault } from '../../src/local/key-vault/index.ts';
import type { Principal } from '../../src/local/principals.ts';
import { startServiceBus } from '../../src/local/service-bus/index.ts';
import { queueName, type StandInAddresses } from '../harness/stand-in-clients.ts';

export const vaultName = 'measured';

/** In MiB; `highest` is the most that the process ever had. */
export interface Memory {
  now: number;
  highest: number;
  /** How many there are. */
  messages: number;
}

const caller: Principal = {
  tenantId: 'cd4bf224-d114-4f96-9bbc-b8f45751c43f',
  clientId: '52d9c3d8-6c0f-4a2e-9a51-0b8f2f7d5d02',
  objectId: '0e4a7b90-3f1d-4c68-bd2e-7c1a5f9e3d02',
};

if (process.send) await serve(process.argv[2]);

async function serve(snapshotFile: string | undefined): Promise<void> {
  const { caCertificate, certificate, privateKey } = await createCertificates();
  const common = {
    tls: { key: privateKey, cert: certificate },
    verify: async () => caller,
    faults: createFaults(),
    now: () => new Date(),
  };
  const keyVault = await startKeyVault({
    ...common,
    vaults: [
      {
        name: vaultName,
        sku: 'premium',
        tenantId: caller.tenantId,
        access: { model: 'access-policy', grants: { [caller.objectId]: { keys: ['all'] } } },
      },
    ],
    authorityHost: 'https://login.localhost',
    ...(snapshotFile !== undefined && { snapshot: await readFile(snapshotFile) }),
  });
  const broker = await startServiceBus({ ...common, queues: [{ name: queueName }], authorize: () => true });
  const keyVaultUrl = keyVault.vaults.get(vaultName)?.url ?? '';
  const addresses: StandInAddresses = { keyVaultUrl, serviceBus: `localhost:${broker.port}`, caCertificate };
  process.on('message', () => {
    const memory: Memory = {
      now: process.memoryUsage.rss() / 2 ** 20,
      highest: process.resourceUsage().maxRSS / 2 ** 10,
      messages: broker.queue(queueName).active,
    };
    process.send?.(memory);
  });
  process.send?.(addresses);
}
