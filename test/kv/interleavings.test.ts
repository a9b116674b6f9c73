import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Table } from '../../src/state/table.ts';
import { runsOf } from '../support/runs.ts';
import { useTableStorage } from '../support/table-storage.ts';
import { createModel, type Model, type ModelOperation } from './support/model.ts';
import { expected, operation, paths, perform, seen } from './support/operations.ts';
import { createTurns } from '../support/turns.ts';
import { at, createWorld, mount, openHouse, type House } from './support/world.ts';

/* Several processes at the same secrets, their calls to the tables in any order, one of them dying on the way. */

type Request =
  Exclude<ModelOperation, { kind: 'configure' | 'remove-all' }> | { kind: 'read'; path: string; version: number };

const path = fc.constantFrom('a/b', 'a/b/c');
const request: fc.Arbitrary<Request> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      path,
      data: fc.record({ x: fc.nat() }),
      cas: fc.constantFrom(undefined, 0, 1),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('remove' as const), path }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), path, version: fc.nat({ max: 2 }) }) },
  {
    weight: 3,
    arbitrary: operation.filter((given) => given.kind !== 'configure' && given.kind !== 'remove-all'),
  },
);
const processes = fc.oneof(
  fc.array(fc.array(request, { minLength: 1, maxLength: 2 }), { minLength: 2, maxLength: 2 }),
  fc.array(fc.array(request, { minLength: 1, maxLength: 1 }), { minLength: 3, maxLength: 3 }),
);

/** Some calls of one process, then some of another: whoever is slow is so for a while. */
const order = fc
  .array(fc.record({ process: fc.nat({ max: 5 }), calls: fc.integer({ min: 1, max: 16 }) }), {
    minLength: 1,
    maxLength: 8,
  })
  .map((bursts) => bursts.flatMap(({ process, calls }) => Array.from({ length: calls }, () => process)));

async function answerOf(house: House, given: Request): Promise<unknown> {
  if (given.kind !== 'read') return perform(house, given);
  const reading = await house.secrets.read(at(given.path), given.version);
  return reading.kind === 'present' ? JSON.stringify(reading.data) : reading.kind;
}

function modelAnswerOf(model: Model, given: Request, now: number): unknown {
  if (given.kind !== 'read') return model.apply(given, now);
  const reading = model.read(given.path, given.version, now);
  return typeof reading === 'string' ? reading : 'gone' in reading ? 'gone' : reading.value;
}

/** What a process did, with the answers that it heard. The last one of a process that died has none. */
type Log = { given: Request; answer?: unknown }[];

/** Whether there is an order, the same for all, in which doing one after another leads to the same answers and the same end. */
function isExplained(model: Model, logs: readonly Log[], end: string, now: number): boolean {
  if (logs.every((log) => log.length === 0)) return textOf(model, now) === end;
  return logs.some((log, process) => {
    const [first, ...rest] = log;
    if (first === undefined) return false;
    const others = logs.with(process, rest);
    const after = model.copy();
    const answer = modelAnswerOf(after, first.given, now);
    if (!('answer' in first)) return isExplained(after, others, end, now) || isExplained(model, others, end, now);
    return JSON.stringify(answer) === JSON.stringify(first.answer) && isExplained(after, others, end, now);
  });
}

const textOf = (model: Model, now: number) => JSON.stringify(paths.map((name) => expected(model, name, now)));

async function run(
  before: readonly Request[],
  requests: readonly (readonly Request[])[],
  order: readonly number[],
  cutAt: number | undefined,
  open?: (name: string) => Table,
): Promise<void> {
  const world = createWorld(open);
  const calm = openHouse(world);
  const now = world.now().getTime();
  const model = createModel();
  for (const given of before) expect(await answerOf(calm, given)).toEqual(modelAnswerOf(model, given, now));

  const turns = createTurns();
  const logs: Log[] = requests.map(() => []);
  const dead = await turns.run(
    requests.map((all, process) => async () => {
      const house = openHouse(world, turns.wrap(process));
      for (const given of all) {
        const entry: Log[number] = { given };
        logs[process]?.push(entry);
        entry.answer = await answerOf(house, given);
      }
    }),
    order,
    cutAt,
  );
  const end = JSON.stringify(await Promise.all(paths.map((name) => seen(calm, name))));
  expect(isExplained(model, logs, end, now), `in some order: ${JSON.stringify(logs)}, in the end ${end}`).toBe(true);

  if (dead !== undefined) {
    world.pass(61);
    await calm.sweep();
  }
  const there = (
    await Promise.all(paths.map(async (name) => [name, await calm.secrets.readMetadata(at(name))] as const))
  )
    .filter(([, record]) => record !== undefined)
    .map(([name]) => name);
  expect(await everythingListed(calm)).toEqual(there.sort());
}

/** Paths of all secrets that can be found by way of the folders. */
async function everythingListed(house: House, folder = ''): Promise<string[]> {
  const found: string[] = [];
  for (const name of await house.secrets.list(mount, folder.slice(0, -1))) {
    if (!name.endsWith('/')) found.push(folder + name);
    else {
      const inside = await everythingListed(house, folder + name);
      expect(inside, `something is in ${folder + name}`).not.toEqual([]);
      found.push(...inside);
    }
  }
  return found.sort();
}

const history = [
  fc.array(request, { maxLength: 4 }),
  processes,
  order,
  fc.option(fc.nat({ max: 30 }), { nil: undefined }),
] as const;

describe('several processes at the same secrets', () => {
  it('are as if one request had come after another', async () => {
    await fc.assert(
      fc.asyncProperty(...history, (...given) => run(...given)),
      runsOf({ usually: 2000, long: 50_000 }),
    );
  }, 600_000);

  describe('over Table Storage', () => {
    const openTable = useTableStorage();

    it('are so too', async () => {
      let histories = 0;
      await fc.assert(
        fc.asyncProperty(...history, async (...given) => {
          const prefix = `history${++histories}`;
          await run(...given, (name) => openTable(prefix + name));
        }),
        { ...runsOf({ usually: 8, long: 50 }), endOnFailure: true },
      );
    }, 600_000);
  });
});
