import { randomUUID } from 'node:crypto';
import { seedRootToken } from '../../src/local/seed.ts';
import { startPlatform, type Platform } from '../../src/local/platform/index.ts';
import type { Benchmark } from '../harness/benchmark.ts';
import { figure } from '../harness/figures.ts';
import { createHeldKeys, heldVault } from '../harness/held-keys.ts';
import { interleave } from '../harness/interleave.ts';
import { startServiceProcess, type Run, type ServiceProcess } from '../harness/service-process.ts';
import { openState } from '../../src/local/open-state.ts';

const keyCount = 1000;
const rounds = 5;
const listPageSize = 25;
const mount = randomUUID();
const vaults = ['first-vault', 'second-vault'] as const;
type VaultName = (typeof vaults)[number];

interface Pass extends Run {
  lists: number;
  /** Reads of keys and of versions, and lists of versions. */
  gets: number;
  /** Any other call but the 401 that tells where to get a token. */
  others: number;
}

/** What it costs to look through vaults in which nothing changed: most of what a service in peace does. */
export const idleReconcile: Benchmark = {
  name: 'idle-reconcile',
  measures: `a pass over ${vaults.length} vaults of ${keyCount} keys in which nothing changed, against its list pages`,
  async run({ progress }) {
    const held = createHeldKeys(
      mount,
      vaults.map((vault) => ({ vault, keyCount })),
    );
    await using stack = new AsyncDisposableStack();
    const platform = await startPlatform({
      vaults: vaults.map(heldVault),
      vaultContents: held.contents,
      seed: seedRootToken,
    });
    stack.defer(() => platform.stop());
    await held.writeUnseen(platform);
    progress('keys are there');
    const service = await startServiceProcess(platform);
    stack.defer(() => service.stop());

    for (const vault of vaults) {
      const first = await look(platform, service, vault);
      await expectSeen(platform, vault);
      progress(`${vault} seen for the first time: ${first.lists} lists, ${first.gets} other reads`);
    }
    const passes = await interleave(
      rounds,
      {
        'first-vault': () => look(platform, service, 'first-vault'),
        'second-vault': () => look(platform, service, 'second-vault'),
      },
      progress,
    );
    await Promise.all(vaults.map((vault) => expectSeen(platform, vault)));
    const all = vaults.flatMap((vault) => passes[vault]);
    const pages = Math.ceil(keyCount / listPageSize);
    const of = (read: (pass: Pass) => number) => all.map(read);
    return [
      figure(
        'list calls / pages of keys',
        'times',
        of(({ lists }) => lists / pages),
        { atMost: 1, parts: { pages } },
      ),
      figure(
        'reads of keys and versions',
        'calls',
        of(({ gets }) => gets),
        { atMost: 0 },
      ),
      figure(
        'other calls to the vault',
        'calls',
        of(({ others }) => others),
        { atMost: 0 },
      ),
      figure(
        'requests to Table Storage',
        'calls',
        of(({ tableRequests }) => tableRequests),
      ),
      figure(
        'time of a pass',
        'ms',
        of(({ seconds }) => seconds * 1000),
      ),
    ];
  },
};

async function look(platform: Platform, service: ServiceProcess, vault: VaultName): Promise<Pass> {
  const before = platform.keyVault.calls.length;
  const run = await service.check({ mount, provider: vault });
  const calls = platform.keyVault.calls.slice(before).filter((call) => call.vault === vault);
  const count = (isCounted: (operation: string) => boolean) =>
    calls.filter(({ operation }) => isCounted(operation)).length;
  return {
    ...run,
    lists: count(isList),
    gets: count(isGet),
    others: count((operation) => !isList(operation) && !isGet(operation) && operation !== 'challenge'),
  };
}

const isList = (operation: string) => operation === 'list';
const isGet = (operation: string) => operation === 'get' || operation === 'versions';

/** @throws Error unless every key was seen as it should be, in a pass over everything */
async function expectSeen(platform: Platform, vault: VaultName): Promise<void> {
  const { inspections, providers } = openState(platform);
  const reference = { mount, provider: vault };
  const provider = await providers.read(reference);
  const inspection = provider && (await inspections.read(reference, provider.createdTime));
  if (inspection?.failure !== undefined) throw new Error(`${vault}: ${inspection.failure}`);
  if (inspection?.lightTime === undefined || inspection.thoroughTime === undefined) {
    throw new Error(`${vault} was not looked through`);
  }
  let seen = 0;
  for await (const page of inspections.held(reference)) {
    seen += page.filter((key) => key.seen !== undefined && !key.seen.startsWith('!') && key.doubt === undefined).length;
  }
  if (seen !== keyCount) throw new Error(`${vault}: ${seen} of ${keyCount} keys were seen as they should be`);
}
