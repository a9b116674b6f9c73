import type { Platform } from '../../src/local/platform/index.ts';
import { createIntentStore } from '../../src/state/intents.ts';
import type { Action, Table } from '../../src/state/table.ts';
import type { Figure } from '../harness/benchmark.ts';
import { figure } from '../harness/figures.ts';
import { changeAll, openTable } from '../harness/held-keys.ts';
import { startServiceProcess, type Run } from '../harness/service-process.ts';

const mostTimesLinear = 1.2;
const mostMemoryMiB = 64;

/**
 * One sweep of a new process for each number of open intents, all of them due: each is put off and woken.
 * @param sizes the fewest first
 */
export async function measureSweeps(
  platform: Platform,
  sizes: readonly number[],
  progress: (line: string) => void,
): Promise<Figure[]> {
  const runs: { size: number; run: Run }[] = [];
  for (const size of sizes) {
    const run = await sweep(platform, size);
    progress(`${size} intents: ${run.seconds.toFixed(1)} s, ${run.mostMemory.toFixed(0)} MiB`);
    runs.push({ size, run });
  }
  const [first, ...others] = runs;
  if (first === undefined) return [];
  return others.flatMap(({ size, run }) => [
    figure(
      `sweep: time an intent, ${size} / ${first.size} due`,
      'times',
      [run.seconds / size / (first.run.seconds / first.size)],
      {
        atMost: mostTimesLinear,
        parts: {
          seconds: run.seconds,
          [`seconds with ${first.size}`]: first.run.seconds,
          'table requests': run.tableRequests,
        },
      },
    ),
    figure(`sweep: most memory above ${first.size} due, ${size}`, 'MiB', [run.mostMemory - first.run.mostMemory], {
      atMost: mostMemoryMiB,
      parts: { 'MiB in all': run.mostMemory, 'heap kept above': run.heap - first.run.heap },
    }),
  ]);
}

/** With nothing to do, by a process that has swept before. */
export async function sweepIdle(platform: Platform, times: number): Promise<Run[]> {
  const service = await startServiceProcess(platform);
  try {
    await service.sweep();
    const runs: Run[] = [];
    for (let turn = 0; turn < times; turn++) runs.push(await service.sweep());
    return runs;
  } finally {
    await service.stop();
  }
}

async function sweep(platform: Platform, count: number): Promise<Run> {
  const service = await startServiceProcess(platform);
  try {
    // Clients sign in and connect.
    const removeOne = await openIntents(platform, 1);
    await service.sweep();
    await removeOne();
    const removeAll = await openIntents(platform, count);
    const run = await service.sweep();
    await removeAll();
    return run;
  } finally {
    await service.stop();
  }
}

/** @returns removes them */
async function openIntents(platform: Platform, count: number): Promise<() => Promise<void>> {
  const table = openTable(platform, 'intents');
  const actions: Action[] = [];
  let partition = '';
  const gathering: Table = {
    ...table,
    async transact(ofPartition, [action]) {
      partition = ofPartition;
      if (action !== undefined) actions.push(action);
      return true;
    },
  };
  const intents = createIntentStore(gathering);
  const dueTime = new Date();
  for (let index = 0; index < count; index++) {
    const subject = { kind: 'distribution', mount: 'mount', key: `key-${index}`, provider: 'vault' } as const;
    await intents.put(subject, { dueTime, attempts: 0 });
  }
  await changeAll(table, partition, actions);
  return () =>
    changeAll(
      table,
      partition,
      actions.map(({ row }) => ({ kind: 'remove', row })),
    );
}
