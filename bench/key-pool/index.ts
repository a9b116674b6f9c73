import { startPlatform } from '../../src/local/platform/index.ts';
import { seedRootToken } from '../../src/local/seed.ts';
import type { Benchmark } from '../harness/benchmark.ts';
import { figure, ratio } from '../harness/figures.ts';
import { printErrors } from '../harness/host-log.ts';
import { interleave } from '../harness/interleave.ts';
import { fillKeyPool } from '../harness/key-pool.ts';
import { quantile } from '../harness/statistics.ts';
import { createVaultClient, type VaultClient } from '../harness/vault-client.ts';

const rounds = 6;
const rotations = 20;
const sizes = { 'rsa-2048': rotations };

/** What rotations gain by key pairs that were made in advance, and how fast those are made. */
export const keyPool: Benchmark = {
  name: 'key-pool',
  measures: `${rotations} rotations of an RSA-2048 key one after another, pairs from a filled pool or made for them`,
  async run({ progress }) {
    await using stack = new AsyncDisposableStack();
    const platform = await startPlatform({ vaults: [], seed: seedRootToken });
    stack.defer(() => platform.stop());
    const openClient = async (settings: Record<string, string>) => {
      const host = await platform.startHost({ settings, disabledFunctions: ['key-pool'], log: printErrors });
      return createVaultClient(host.url, platform.rootToken);
    };
    const without = await openClient({});
    const pooled = await openClient({ KEYFLEET_KEY_POOL: JSON.stringify(sizes) });
    await without.call('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' });
    await fillKeyPool(platform, sizes);
    // A key of its own each round: one with more versions takes longer to rotate.
    for (const [name, client] of Object.entries({ without, pooled })) await rotate(client, `warm-${name}`);
    const fillings: number[] = [];
    const measured = await interleave(
      rounds,
      {
        async pooled(round) {
          const startTime = performance.now();
          await fillKeyPool(platform, sizes);
          fillings.push((rotations / (performance.now() - startTime)) * 1000);
          return rotate(pooled, `pooled-${round}`);
        },
        without: (round) => rotate(without, `without-${round}`),
      },
      progress,
    );
    const at = (fraction: number, of: keyof typeof measured) => measured[of].map((times) => quantile(times, fraction));
    return [
      ratio('rotation p50, filled pool / none', at(0.5, 'pooled'), at(0.5, 'without')),
      ratio('rotation p95, filled pool / none', at(0.95, 'pooled'), at(0.95, 'without')),
      figure('rotation p50, filled pool', 'ms', at(0.5, 'pooled')),
      figure('rotation p50, no pool', 'ms', at(0.5, 'without')),
      figure('pairs filled', 'per second', fillings),
    ];
  },
};

/** @returns how long each rotation took, in milliseconds */
async function rotate(client: VaultClient, key: string): Promise<number[]> {
  // It takes the first of as many pairs.
  await client.call('POST', `keymgmt/key/${key}`, { type: 'rsa-2048' });
  const times: number[] = [];
  for (let rotation = 1; rotation < rotations; rotation++) {
    const startTime = performance.now();
    await client.call('POST', `keymgmt/key/${key}/rotate`);
    times.push(performance.now() - startTime);
  }
  return times;
}
