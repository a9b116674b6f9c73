import { generateKeyPairSync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAzureFailure } from '../../src/azure-failure.ts';
import { createTargetVault, type TargetVault } from '../../src/key-vault/target-vault.ts';
import { createCertificates, trustInThisProcess } from '../../src/local/certificates.ts';
import { createFaults } from '../../src/local/faults.ts';
import { startKeyVault } from '../../src/local/key-vault/index.ts';
import { installLoopbackNames } from '../../src/local/loopback-names.ts';
import { createGovernor, documentedLimits, systemClock } from '../../src/reconcile/governor/index.ts';
import type { InstanceStore, Presence } from '../../src/state/instances.ts';

/** Messages that an instance works on at once. */
const sessions = 16;
/** Of each vault, work that waits: more than is done meanwhile. */
const backlog = 60;
const caller = {
  tenantId: 'cd4bf224-d114-4f96-9bbc-b8f45751c43f',
  clientId: '52d9c3d8-6c0f-4a2e-9a51-0b8f2f7d5d02',
  objectId: '0e4a7b90-3f1d-4c68-bd2e-7c1a5f9e3d02',
};
const dnsSuffix = 'vault.localhost';

export interface BatchOptions {
  vaults: number;
  /** Imports that a vault takes in ten seconds. */
  importLimit: number;
  /** What every import takes at least, by vault. */
  delayMilliseconds?: (vault: number) => number;
  /** Not counted: until as many calls leave the window as enter it. */
  warmUpSeconds: number;
  seconds: number;
}

export interface BatchResult {
  /** Imports that each vault took in the time that counts. */
  taken: readonly number[];
  /** Calls in that time that were answered 429. */
  refused: number;
}

/** Imports as much as may be into every vault for a while, through the governor, as an instance with a long queue does. */
export async function runBatch(options: BatchOptions): Promise<BatchResult> {
  const { vaults: count, importLimit, delayMilliseconds = () => 0, warmUpSeconds, seconds } = options;
  await using stack = new AsyncDisposableStack();
  const names = Array.from({ length: count }, (_, index) => `vault-${index}`);
  const { caCertificate, certificate, privateKey } = await createCertificates();
  trustInThisProcess(caCertificate);
  stack.defer(installLoopbackNames({ domains: [], zones: { [dnsSuffix]: names } }));
  const faults = createFaults();
  for (const [index, name] of names.entries()) {
    const milliseconds = delayMilliseconds(index);
    if (milliseconds === 0) continue;
    faults.add({ service: 'key-vault', operation: 'import', name, fault: { kind: 'delay', milliseconds } });
  }
  const keyVault = await startKeyVault({
    vaults: names.map((name) => ({
      name,
      sku: 'premium',
      tenantId: caller.tenantId,
      dnsSuffix,
      access: { model: 'access-policy', grants: { [caller.objectId]: { keys: ['all'] } } },
    })),
    tls: { key: privateKey, cert: certificate },
    verify: async () => caller,
    authorityHost: 'https://login.localhost',
    faults,
    now: () => new Date(),
    throttle: { limits: { import: importLimit } },
  });
  stack.defer(() => keyVault.stop());

  const governor = createGovernor({
    limits: { ...documentedLimits, import: importLimit },
    instances: createLoneStore(),
    instanceId: 'alone',
    clock: systemClock,
    wallClock: () => new Date(),
  });
  const credential = { getToken: async () => ({ token: 'any', expiresOnTimestamp: Date.now() + 86_400_000 }) };
  const handles = names.map((name) => {
    const vault = createTargetVault({ name, url: keyVault.vaults.get(name)?.uri ?? '', credential });
    return governor.govern(vault, { vaultId: name, groupId: 'group' }).background;
  });

  const end = Date.now() + (warmUpSeconds + seconds) * 1000;
  await work(handles, end);
  const counted = keyVault.calls.filter(({ operation, time }) => {
    const at = time.getTime();
    return operation === 'import' && at >= end - seconds * 1000 && at < end;
  });
  return {
    taken: names.map((name) => counted.filter(({ vault, status }) => vault === name && status === 200).length),
    refused: counted.filter(({ status }) => status === 429).length,
  };
}

/** Sessions that take whatever is due, of whichever vault; what is put off comes back when it was told to. */
async function work(vaults: readonly TargetVault[], end: number): Promise<void> {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  });
  const queue = Array.from({ length: backlog }, () => vaults.map((vault) => ({ vault, due: 0 }))).flat();

  async function session(): Promise<void> {
    while (Date.now() < end) {
      const index = queue.findIndex(({ due }) => due <= Date.now());
      const [item] = index < 0 ? [] : queue.splice(index, 1);
      if (item === undefined) {
        await sleep(5);
        continue;
      }
      const { vault } = item;
      let due = 0;
      try {
        const deadline = new Date(Date.now() + 15_000);
        await vault.importPlain(vault.name, privateKey, { operations: ['sign'], enabled: true, tags: {}, deadline });
      } catch (error) {
        if (!isAzureFailure(error, 'throttled')) throw error;
        due = Date.now() + (error.retryAfterSeconds ?? 2) * 1000;
      }
      queue.push({ vault, due });
    }
  }
  await Promise.all(Array.from({ length: sessions }, session));
}

/** There is one instance, and storage isn't what is measured. */
function createLoneStore(): InstanceStore {
  const rows = new Map<string, Presence>();
  return {
    put: async (scope, presence) => void rows.set(scope, presence),
    list: async (scope) => [rows.get(scope)].filter((row) => row !== undefined),
    remove: async (scope) => void rows.delete(scope),
  };
}
