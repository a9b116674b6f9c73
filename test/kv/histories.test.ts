import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isKeyfleetError, KeyfleetError } from '../../src/errors.ts';
import type { SecretChange } from '../../src/state/secret-records.ts';
import type { Table } from '../../src/state/table.ts';
import { createMemoryTable } from '../support/memory-table.ts';
import { Crash } from '../support/interruptions.ts';
import { runsOf } from '../support/runs.ts';
import { useTableStorage } from '../support/table-storage.ts';
import { createModel, type Model, type ModelOperation } from './support/model.ts';
import { expected, operation, paths, perform, seen } from './support/operations.ts';
import { at, createWorld, mount, openHouse, type House, type World } from './support/world.ts';

/** `again`: the reply to a write was lost, its client repeats it and hears the answer to that. */
type Cut = 'crash-before' | 'crash-after' | 'unavailable' | 'lost' | 'again';
type Step = ModelOperation | { kind: 'sweep' } | { kind: 'restart' } | { kind: 'pass'; seconds: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 24, arbitrary: operation },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove-all' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), seconds: fc.integer({ min: 1, max: 90 }) }) },
);
const cuts = fc.array(
  fc.record({
    call: fc.nat({ max: 300 }),
    how: fc.constantFrom<Cut>('crash-before', 'crash-after', 'unavailable', 'lost', 'again'),
  }),
  { maxLength: 8 },
);

/** Cuts calls to the tables of one process; counts on from `from`. */
function cutting(plan: ReadonlyMap<number, Cut>, counter: { calls: number }) {
  return (table: Table): Table =>
    new Proxy(table, {
      get(target, property: keyof Table) {
        const method = target[property] as (...given: unknown[]) => Promise<unknown>;
        return async (...given: unknown[]): Promise<unknown> => {
          const how = plan.get(counter.calls++);
          if (how === 'crash-before') throw new Crash();
          if (how === 'unavailable') throw new KeyfleetError('unavailable', 'injected: no answer, no effect');
          const result = await method.apply(target, given);
          if (how === 'crash-after') throw new Crash();
          if (how === 'lost') throw new KeyfleetError('unavailable', 'injected: the reply was lost');
          return how === 'again' && property === 'transact' ? method.apply(target, given) : result;
        };
      },
    });
}

const noteOf: Record<Exclude<ModelOperation['kind'], 'configure' | 'remove-all'>, SecretChange['kind']> = {
  put: 'version',
  patch: 'patch',
  delete: 'delete',
  'delete-versions': 'delete',
  undelete: 'undelete',
  destroy: 'destroy',
  metadata: 'metadata',
  'patch-metadata': 'metadata',
  remove: 'metadata-delete',
};

/** Runs one history. @param open new tables */
async function run(
  open: (name: string) => Table,
  steps: readonly Step[],
  plan: readonly { call: number; how: Cut }[],
): Promise<void> {
  const world = createWorld(open);
  const calm = openHouse(world);
  const counter = { calls: 0 };
  const wrap = cutting(new Map(plan.map(({ call, how }) => [call, how])), counter);
  let house = openHouse(world, wrap);
  let model = createModel();
  let cutShort = false;
  const sequences = new Map<string, number>();

  for (const taken of steps) {
    if (taken.kind === 'pass') {
      world.pass(taken.seconds);
      continue;
    }
    if (taken.kind === 'restart') {
      house = openHouse(world, wrap);
      continue;
    }
    const before = model.copy();
    const noted = 'path' in taken ? (sequences.get(taken.path) ?? 0) : 0;
    try {
      if (taken.kind === 'sweep') await house.sweep();
      else expect(await perform(house, taken)).toEqual(model.apply(taken, world.now().getTime()));
    } catch (error) {
      if (!isCut(error)) throw error;
      cutShort = true;
      if (!isKeyfleetError(error)) house = openHouse(world, wrap);
      model = await whatHappened(calm, world, before, taken);
    }
    await checkAlways(calm, world, model, { sequences, among: 'path' in taken ? [taken.path] : paths });
    if (!cutShort) await checkFolders(calm, model);
    if (!cutShort && 'path' in taken) await checkNote(calm, { before, after: model, noted }, taken);
    if (!cutShort && taken.kind === 'sweep') await checkEnds(calm, world, model);
  }
  await settle(world, calm);
  await checkAlways(calm, world, model, { sequences, among: paths });
  await checkFolders(calm, model);
  await checkEnds(calm, world, model);
  expect(await world.openTable('reminders').query('open'), 'nothing is left to see to').toEqual([]);
}

function isCut(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isCut);
  return error instanceof Crash || isKeyfleetError(error, 'unavailable');
}

/** A request that was cut short did what it was to do, or nothing. */
async function whatHappened(house: House, world: World, before: Model, taken: Step): Promise<Model> {
  if (taken.kind === 'sweep' || taken.kind === 'pass' || taken.kind === 'restart') return before;
  const now = world.now().getTime();
  const after = before.copy();
  after.apply(taken, now);
  if (taken.kind === 'remove-all') {
    // The one that takes many writes: whoever disables a mount does it again if it failed.
    await house.removeAll(mount);
    return after;
  }
  if (taken.kind === 'configure') {
    const { maxVersions, casRequired, deleteVersionAfterSeconds } = await house.config.read(mount);
    const stored = { maxVersions, casRequired, deleteAfterSeconds: deleteVersionAfterSeconds };
    expect([before.config, after.config]).toContainEqual(stored);
    return JSON.stringify(stored) === JSON.stringify(before.config) ? before : after;
  }
  const found = JSON.stringify(await seen(house, taken.path));
  const possible = [before, after].map((model) => JSON.stringify(expected(model, taken.path, now)));
  expect(possible).toContain(found);
  return possible[0] === found ? before : after;
}

/** What must hold at every moment, whatever was cut short. */
async function checkAlways(
  house: House,
  world: World,
  model: Model,
  { sequences, among }: { sequences: Map<string, number>; among: readonly string[] },
): Promise<void> {
  for (const path of among) {
    expect(await seen(house, path)).toEqual(expected(model, path, world.now().getTime()));
    const rows = await world.openTable('secrets').query(`secret|${mount}|${path.replaceAll('/', '+2F')}`);
    const kept = [...(model.secrets.get(path)?.versions ?? [])].filter(([, { value }]) => value !== undefined);
    expect(
      rows.map(({ row }) => row),
      'a value for each version that has one, and no other',
    ).toEqual([
      ...(rows.length === 0 ? [] : ['head']),
      ...kept.map(([number]) => `value|${String(number).padStart(10, '0')}`),
    ]);
    const sequence = (await house.state.secrets.read(at(path)))?.lastChange.sequence ?? 0;
    expect(sequence, 'sequences never go down').toBeGreaterThanOrEqual(sequences.get(path) ?? 0);
    sequences.set(path, sequence);
  }
}

async function checkFolders(house: House, model: Model): Promise<void> {
  for (const folder of ['', 'a', 'a/b', 'd', 'd/e']) {
    expect(await house.secrets.list(mount, folder), `folder "${folder}"`).toEqual(model.list(folder));
  }
}

/** A request that changed something left the note of it in the same write, and one that changed nothing left none. */
async function checkNote(
  house: House,
  { before, after, noted }: { before: Model; after: Model; noted: number },
  taken: Extract<ModelOperation, { path: string }>,
): Promise<void> {
  const state = await house.state.secrets.read(at(taken.path));
  const writes = taken.kind === 'metadata' || taken.kind === 'patch-metadata';
  if (textOf(before, taken.path) !== textOf(after, taken.path)) {
    expect(state?.lastChange).toMatchObject({ kind: noteOf[taken.kind], sequence: noted + 1 });
  } else if (!writes) expect(state?.lastChange.sequence ?? 0).toBe(noted);
}

function textOf(model: Model, path: string): string {
  const secret = model.secrets.get(path);
  return JSON.stringify(secret && { ...secret, versions: [...secret.versions] });
}

/** Whoever follows changes has heard of everything that ended by itself. */
async function checkEnds(house: House, world: World, model: Model): Promise<void> {
  for (const [path, { versions }] of model.secrets) {
    const state = await house.state.secrets.read(at(path));
    for (const { ends, value } of versions.values()) {
      if (ends === undefined || value === undefined || ends > world.now().getTime()) continue;
      expect(state?.lastChange.time.getTime()).toBeGreaterThanOrEqual(ends);
    }
  }
}

/** Lets time pass until nobody has anything left to see to. */
async function settle(world: World, house: House): Promise<void> {
  for (let cycle = 0; cycle < 3; cycle++) {
    world.pass(3600);
    await house.sweep();
  }
}

describe('histories of secrets, cut anywhere', () => {
  it('agree with the model over tables in memory', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 32 }), cuts, (steps, plan) =>
        run(() => createMemoryTable(), steps, plan),
      ),
      runsOf({ usually: 400, long: 10_000 }),
    );
  }, 600_000);

  describe('over Table Storage', () => {
    const openTable = useTableStorage();

    it('agree with it too', async () => {
      let history = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 10 }), cuts, async (steps, plan) => {
          const prefix = `history${++history}`;
          await run((name) => openTable(prefix + name), steps, plan);
        }),
        runsOf({ usually: 50, long: 200 }),
      );
    }, 600_000);
  });
});
