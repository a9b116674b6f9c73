import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPlatform, type Platform } from '../../src/local/platform/index.ts';
import { seedRootToken } from '../../src/local/seed.ts';
import type { Benchmark, Figure } from '../harness/benchmark.ts';
import { figure, ratio } from '../harness/figures.ts';
import { createHeldKeys, heldVault } from '../harness/held-keys.ts';
import { startServiceProcess, type Run, type ServiceProcess } from '../harness/service-process.ts';
import { openState } from '../../src/local/open-state.ts';
import { median } from '../harness/statistics.ts';
import { measureSweeps, sweepIdle } from './sweeps.ts';

const sizes = [1_000, 10_000, 100_000] as const;
type Size = (typeof sizes)[number];

const fewest = sizes[0];
const rounds = 3;
/** They are over in a moment, and each figure is over theirs. */
const roundsOfFewest = 15;
const idleSweeps = 20;
const listPageSize = 25;
const mostTries = 5;
const trySeconds = 3;
/** It is the pass that is measured, and not how long it waits for its turn. */
const noLimits = { KEYFLEET_KEY_VAULT_LIMITS: JSON.stringify({ other: 1_000_000 }) };
const mostTimesLinear = 1.2;
const mostMemoryMiB = 64;

interface Pass extends Run {
  lists: number;
  others: number;
}

/** How the service's own work in peace grows with the number of keys. */
export const reconcileGrowth: Benchmark = {
  name: 'reconcile-growth',
  measures: `passes and sweeps over ${sizes.join(', ')} keys or open intents: time, calls and memory, over so many times the keys`,
  isLong: true,
  async run({ progress }) {
    const mount = randomUUID();
    const held = createHeldKeys(
      mount,
      sizes.map((keyCount) => ({ vault: vaultOf(keyCount), keyCount })),
    );
    await using stack = new AsyncDisposableStack();
    const platform = await startPlatform({
      vaults: sizes.map((size) => heldVault(vaultOf(size))),
      vaultContents: held.contents,
      seed: seedRootToken,
    });
    stack.defer(() => platform.stop());
    const sweepsOfNone = await sweepIdle(platform, idleSweeps);
    await held.writeSeen(platform);
    const sweepsOfMany = await sweepIdle(platform, idleSweeps);
    progress('keys are there');
    const passes = new Map<Size, Pass[]>();
    for (const size of sizes) {
      await using service = await startServiceProcess(platform, noLimits);
      const look = () => lookThrough(platform, service, { mount, provider: vaultOf(size) });
      // What a new instance may send isn't known for some seconds: until then passes are put off.
      for (let tries = 1; tries <= mostTries && (await look()).lists < pagesOf(size); tries++)
        await sleep(trySeconds * 1000);
      const measured: Pass[] = [];
      for (let round = 0; round < (size === fewest ? roundsOfFewest : rounds); round++) measured.push(await look());
      passes.set(size, measured);
      const [last] = measured.slice(-1);
      progress(`${size} keys: ${last?.seconds.toFixed(2)} s, ${last?.mostMemory.toFixed(0)} MiB`);
    }
    for (const size of sizes) {
      const pages = passes.get(size)?.map(({ lists }) => lists) ?? [];
      if (pages.some((count) => count < pagesOf(size))) throw new Error(`a pass over ${size} keys was cut short`);
    }
    await Promise.all(sizes.map((size) => expectWhole(platform, { mount, provider: vaultOf(size) })));
    const seconds = ({ seconds: taken }: Run) => taken;
    const idle = ratio(
      'sweep, none open: all these keys / no key',
      sweepsOfMany.map(seconds),
      sweepsOfNone.map(seconds),
      {
        parts: {
          'table requests': median(sweepsOfMany.map(({ tableRequests }) => tableRequests)),
          'table requests with no key': median(sweepsOfNone.map(({ tableRequests }) => tableRequests)),
          milliseconds: median(sweepsOfMany.map(seconds)) * 1000,
        },
      },
    );
    return [...describe(passes), idle, ...(await measureSweeps(sizes, progress))];
  },
};

const vaultOf = (size: Size) => `vault-${size}`;
const pagesOf = (size: Size) => Math.ceil(size / listPageSize);

function describe(passes: ReadonlyMap<Size, readonly Pass[]>): Figure[] {
  const of = (size: Size, read: (pass: Pass) => number) => (passes.get(size) ?? []).map(read);
  const perKey = (size: Size) => of(size, ({ seconds }) => seconds / size);
  const growth = (read: (pass: Pass) => number, size: Size) => median(of(size, read)) - median(of(fewest, read));
  return [
    ...sizes.slice(1).map((size) =>
      ratio(`pass: time a key, ${size} / ${fewest} keys`, perKey(size), perKey(fewest), {
        atMost: mostTimesLinear,
        parts: {
          seconds: median(of(size, ({ seconds }) => seconds)),
          [`seconds with ${fewest}`]: median(of(fewest, ({ seconds }) => seconds)),
        },
      }),
    ),
    ...sizes.map((size) =>
      figure(
        `pass: list calls / pages, ${size} keys`,
        'times',
        of(size, ({ lists }) => lists / pagesOf(size)),
        {
          atMost: 1,
          parts: {
            'other calls': median(of(size, ({ others }) => others)),
            'table requests': median(of(size, ({ tableRequests }) => tableRequests)),
          },
        },
      ),
    ),
    ...sizes.slice(1).map((size) =>
      figure(`pass: most memory above ${fewest} keys, ${size}`, 'MiB', [growth(({ mostMemory }) => mostMemory, size)], {
        atMost: mostMemoryMiB,
        parts: {
          'MiB in all': median(of(size, ({ mostMemory }) => mostMemory)),
          'heap kept above': growth(({ heap }) => heap, size),
        },
      }),
    ),
  ];
}

async function lookThrough(
  platform: Platform,
  service: ServiceProcess,
  reference: { mount: string; provider: string },
): Promise<Pass> {
  const before = platform.keyVault.calls.length;
  const run = await service.check(reference);
  const calls = platform.keyVault.calls.slice(before).filter(({ operation }) => operation !== 'challenge');
  const lists = calls.filter(({ operation, vault }) => operation === 'list' && vault === reference.provider).length;
  const others = calls.filter(({ operation, vault }) => operation !== 'list' && vault === reference.provider).length;
  return { ...run, lists, others };
}

/** @throws Error unless the last pass saw every key */
async function expectWhole(platform: Platform, reference: { mount: string; provider: string }): Promise<void> {
  const { inspections, providers } = openState(platform);
  const provider = await providers.read(reference);
  const inspection = provider && (await inspections.read(reference, provider.createdTime));
  if (inspection?.lightTime === undefined || inspection.failure !== undefined || inspection.extraCount > 0) {
    throw new Error(`${reference.provider} was not looked through: ${inspection?.failure ?? 'no reason is known'}`);
  }
}
