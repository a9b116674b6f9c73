import { startPlatform, type Platform } from '../../src/local/platform/index.ts';
import { seedRootToken } from '../../src/local/seed.ts';
import { createIntentStore, type Subject } from '../../src/state/intents.ts';
import type { Action, Table } from '../../src/state/table.ts';
import type { Figure } from '../harness/benchmark.ts';
import { figure, ratio } from '../harness/figures.ts';
import { changeAll, openTable } from '../harness/held-keys.ts';
import { startServiceProcess, type Run } from '../harness/service-process.ts';
import { median } from '../harness/statistics.ts';

const mostTimesLinear = 1.2;
const mostMemoryMiB = 64;

/** All rows are in one partition, and to change one takes the emulator of Table Storage as long as there are rows. */
const mostChanged = 10_000;

/** Longer than any run of this benchmark. */
const putOffSeconds = 3600;

const rounds = 5;

interface Sweeps {
  size: number;
  /** While nobody needs to be woken. */
  putOff: Run[];
  /** One that wakes everybody, or as many as there is time for. */
  due: Run;
  woken: number;
}

/**
 * Sweeps for each number of open intents, each by a new process, on servers of their own: with all of them put off, and with all due.
 * @param sizes the fewest first
 */
export async function measureSweeps(sizes: readonly number[], progress: (line: string) => void): Promise<Figure[]> {
  const all: Sweeps[] = [];
  for (const size of sizes) {
    const putOff = await sweepOpen(size, new Date(Date.now() + putOffSeconds * 1000), rounds);
    const {
      runs: [due],
      woken,
    } = await sweepOpen(size, new Date(), 1);
    if (due === undefined) continue;
    progress(
      `${size} intents: ${putOff.runs[0]?.seconds.toFixed(2)} s put off; ${due.seconds.toFixed(1)} s for ${woken} that are due, ` +
        `${due.cpuSeconds.toFixed(1)} s of them computing, ${due.mostMemory.toFixed(0)} MiB`,
    );
    all.push({ size, putOff: putOff.runs, due, woken });
  }
  const [first, ...others] = all;
  return first === undefined ? [] : others.flatMap((sweeps) => describe(sweeps, first));
}

function describe({ size, putOff, due, woken }: Sweeps, first: Sweeps): Figure[] {
  const each = (runs: readonly Run[], count: number) => runs.map(({ seconds }) => seconds / count);
  const parts = { seconds: due.seconds, woken, 'table requests': due.tableRequests };
  return [
    ratio(
      `sweep, put off: time an intent, ${size} / ${first.size}`,
      each(putOff, size),
      each(first.putOff, first.size),
      {
        atMost: mostTimesLinear,
        parts: {
          seconds: median(putOff.map(({ seconds }) => seconds)),
          [`seconds with ${first.size}`]: median(first.putOff.map(({ seconds }) => seconds)),
          'table requests': median(putOff.map(({ tableRequests }) => tableRequests)),
        },
      },
    ),
    ratio(
      `sweep, due: computing an intent, ${size} / ${first.size}`,
      [due.cpuSeconds / woken],
      [first.due.cpuSeconds / first.woken],
      { atMost: mostTimesLinear, parts: { ...parts, 'seconds of it': due.cpuSeconds } },
    ),
    ...(size <= mostChanged
      ? [
          ratio(
            `sweep, due: time an intent, ${size} / ${first.size}`,
            each([due], woken),
            each([first.due], first.woken),
            { atMost: mostTimesLinear, parts },
          ),
        ]
      : []),
    ...(['putOff', 'due'] as const).map((kind) => {
      const most = (sweeps: Sweeps) => (kind === 'due' ? sweeps.due : sweeps.putOff.at(-1));
      const growth = (read: (run: Run) => number) => {
        const [run, base] = [most({ size, putOff, due, woken }), most(first)];
        return run === undefined || base === undefined ? NaN : read(run) - read(base);
      };
      return figure(
        `sweep, ${kind === 'due' ? 'due' : 'put off'}: most memory above ${first.size}, ${size}`,
        'MiB',
        [growth(({ mostMemory }) => mostMemory)],
        { atMost: mostMemoryMiB, parts: { 'heap kept above': growth(({ heap }) => heap) } },
      );
    }),
  ];
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

async function sweepOpen(size: number, dueTime: Date, times: number): Promise<{ runs: Run[]; woken: number }> {
  await using stack = new AsyncDisposableStack();
  const platform = await startPlatform({ seed: seedRootToken });
  stack.defer(() => platform.stop());
  const service = stack.use(await startServiceProcess(platform));
  const table = openTable(platform, 'intents');
  const intents = createIntentStore(table);
  // Clients sign in and connect.
  await intents.put(subjectOf('first'), { dueTime: new Date(), attempts: 0 });
  await service.sweep();
  const first = await intents.read(subjectOf('first'));
  if (first === undefined || !(await intents.remove(first))) throw new Error('the first intent has gone');
  await openIntents(table, size, dueTime);
  const runs: Run[] = [];
  for (let turn = 0; turn < times; turn++) runs.push(await service.sweep());
  let woken = 0;
  for await (const page of intents.pages({})) woken += page.filter(({ attempts }) => attempts > 0).length;
  return { runs, woken };
}

async function openIntents(table: Table, count: number, dueTime: Date): Promise<void> {
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
  for (let index = 0; index < count; index++) await intents.put(subjectOf(`key-${index}`), { dueTime, attempts: 0 });
  await changeAll(table, partition, actions);
}

function subjectOf(key: string): Subject {
  return { kind: 'distribution', mount: 'mount', key, provider: 'vault' };
}
