import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { startHostProcess, type HostProcess } from '../../src/local/platform/host-process.ts';
import { startPlatform, type Platform } from '../../src/local/platform/index.ts';
import { seedRootToken } from '../../src/local/seed.ts';
import type { State } from '../../src/state/index.ts';
import { forgetInstances } from '../harness/forget-instances.ts';
import { createHeldKeys, heldKeyPrefix, heldVault } from '../harness/held-keys.ts';
import { printErrors } from '../harness/host-log.ts';
import { inTurns } from '../harness/in-turns.ts';
import { fillKeyPool } from '../harness/key-pool.ts';
import { openState } from '../../src/local/open-state.ts';
import { createVaultClient } from '../harness/vault-client.ts';
import { watchImports, type ImportWatch } from './imports.ts';
import { scaledLimits, type WaveSize } from './size.ts';

/** As many keys as there are rotations, distributed to every vault, and nobody at work. */
export interface WaveFleet {
  platform: Platform;
  state: State;
  keys: readonly string[];
  /** How long it took to fill the pool with as many key pairs as there are rotations. */
  fillSeconds: number;
  /** A host of its own process, that knows the vaults' limits. */
  startHost(): Promise<HostProcess>;
  /** Rotates every key once, many at a time; returns when all have been accepted. */
  rotateAll(host: HostProcess): Promise<void>;
  watch(): ImportWatch;
  /** @throws Error unless every key has exactly so many versions in every vault */
  expectVersions(count: number): void;
  [Symbol.asyncDispose](): Promise<void>;
}

const requestsAtOnce = 16;
const mount = 'keymgmt';
const boundless = 1_000_000;
const betweenLooksMilliseconds = 200;

export async function startWaveFleet(size: WaveSize, progress: (line: string) => void): Promise<WaveFleet> {
  await using stack = new AsyncDisposableStack();
  const vaults = Array.from({ length: size.vaults }, (_, index) => `vault-${index + 1}`);
  const keys = Array.from({ length: size.rotations }, (_, index) => `${heldKeyPrefix}${index}`);
  const limits = scaledLimits(size.scale);
  const pool = { 'rsa-2048': size.rotations };
  // The service never makes software keys in a vault.
  const { createSoftwareKey: _never, ...governed } = limits;
  const mountId = randomUUID();
  const held = createHeldKeys(
    mountId,
    vaults.map((vault) => ({ vault, keyCount: size.rotations })),
  );
  const platform = await startPlatform({
    vaults: vaults.map(heldVault),
    vaultContents: held.contents,
    seed: seedRootToken,
  });
  stack.defer(() => platform.stop());
  const state = openState(platform);
  const isTarget = (vault: string) => vaults.includes(vault);
  const hosts = new Set<HostProcess>();
  stack.defer(async () => {
    await Promise.all([...hosts].map((host) => host.kill()));
  });

  async function startHost(allowed: Record<string, number>): Promise<HostProcess> {
    const host = await startHostProcess(platform, {
      settings: {
        KEYFLEET_REQUESTS_PER_SECOND: String(boundless),
        KEYFLEET_KEY_VAULT_LIMITS: JSON.stringify(allowed),
        KEYFLEET_KEY_POOL: JSON.stringify(pool),
        // It would search for primes again while the wave is on, on the cores that also play the vaults.
        'AzureWebJobs.key-pool.Disabled': 'true',
      },
      log: printErrors,
    });
    hosts.add(host);
    return host;
  }

  async function setUp(): Promise<void> {
    await enableEngine(state, mountId);
    await held.writeUnseen(platform);
    progress(`${keys.length} keys are in each vault`);
    // One key first: of several at once, each would want to make the vault's key exchange key.
    const host = await startHost(Object.fromEntries(Object.keys(governed).map((kind) => [kind, boundless])));
    const client = createVaultClient(host.url, platform.rootToken);
    for (const vault of vaults) {
      await client.call('POST', `${mount}/key/first-${vault}`, { type: 'rsa-2048' });
      await client.call('POST', `${mount}/kms/${vault}/key/first-${vault}`, { purpose: 'sign' });
    }
    await until(() => isSettled(state));
    await host.stop();
    for (const vault of vaults) platform.keyVault.control(vault).setThrottle({ limits });
    await forgetInstances(platform);
  }

  async function fillPool(): Promise<number> {
    const startTime = performance.now();
    await fillKeyPool(platform, pool);
    const seconds = (performance.now() - startTime) / 1000;
    progress(`${size.rotations} key pairs made in ${seconds.toFixed(0)} s`);
    return seconds;
  }

  await setUp();
  const fillSeconds = await fillPool();
  const running = stack.move();
  return {
    platform,
    state,
    keys,
    fillSeconds,
    startHost: () => startHost(governed),
    async rotateAll(host) {
      const client = createVaultClient(host.url, platform.rootToken, { Prefer: 'respond-async' });
      await inTurns(requestsAtOnce, keys.values(), async (key) => {
        await client.call('POST', `${mount}/key/${key}/rotate`);
      });
    },
    watch: () => watchImports(platform.keyVault, isTarget),
    expectVersions(count) {
      for (const vault of vaults) {
        const ours = platform.keyVault
          .inspect(vault)
          .keys()
          .filter(({ name }) => name.startsWith(heldKeyPrefix));
        const wrong = ours.filter(({ versions }) => versions.length !== count);
        if (ours.length === keys.length && wrong.length === 0) continue;
        throw new Error(`${wrong.length} of ${ours.length} keys in ${vault} don't have ${count} versions`);
      }
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Looks again and again. @throws Error if it takes longer than `atMostSeconds` */
export async function until(look: () => Promise<boolean> | boolean, atMostSeconds = 3600): Promise<void> {
  const deadline = performance.now() + atMostSeconds * 1000;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`it took longer than ${Math.round(atMostSeconds)} s`);
    await sleep(betweenLooksMilliseconds);
  }
}

/** Whether no work is open anywhere. */
export async function isSettled(state: State): Promise<boolean> {
  return (await state.intents.list()).length === 0;
}

async function enableEngine({ mounts }: State, uuid: string): Promise<void> {
  const { revision } = await mounts.read();
  const hour = 3600;
  const engine = {
    ...{ path: `${mount}/`, type: mount, uuid, accessor: `${mount}_bench`, description: '' },
    ...{ defaultLeaseTtlSeconds: hour, maxLeaseTtlSeconds: hour, forceNoCache: false, local: false },
    ...{ sealWrap: false, externalEntropyAccess: false, options: null },
  };
  if (!(await mounts.insert(engine, revision))) throw new Error('the engine could not be enabled');
}
