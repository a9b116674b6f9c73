import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isKeyfleetError } from '../../src/errors.ts';
import { createKeyPoolFilling } from '../../src/keymgmt/key-pool-filling.ts';
import { createPooledGeneration } from '../../src/keymgmt/key-pool.ts';
import type { Table } from '../../src/state/table.ts';
import { createInterruptions, isCrash, strikeInProcess, type Interruption } from '../support/interruptions.ts';
import { createPairWorld, nameOf, newPair } from '../support/key-pairs.ts';
import { createMemoryTable } from '../support/memory-table.ts';
import { runsOf } from '../support/runs.ts';
import { openAzurite, startDirectory } from '../support/stand-ins.ts';
import { createTurns } from '../support/turns.ts';

/* Several processes take from one pool and fill it, their calls in any order; calls fail, and processes die. */

const type = 'rsa-2048';
const never = new AbortController().signal;

/** What a process does, and at which of its calls what happens. */
const process = fc.record({
  acts: fc.array(fc.constantFrom('take' as const, 'take' as const, 'fill' as const), { minLength: 1, maxLength: 5 }),
  interruptions: fc.dictionary(
    fc.nat({ max: 40 }).map(String),
    // Never 'twice': requests to this table are sent once at most, without which a pair would come back after it was taken.
    fc.constantFrom<Interruption>('crash-before', 'crash-after', 'unavailable', 'lost'),
    { maxKeys: 3 },
  ),
});
const history = fc.record({
  size: fc.integer({ min: 1, max: 6 }),
  filledBefore: fc.boolean(),
  processes: fc.array(process, { minLength: 2, maxLength: 4 }),
  order: fc.array(fc.nat({ max: 11 }), { minLength: 1, maxLength: 40 }),
});

let interrupted = 0;
let handedOut = 0;

async function check(
  { size, filledBefore, processes, order }: typeof history extends fc.Arbitrary<infer History> ? History : never,
  table: Table,
): Promise<void> {
  const world = createPairWorld(table);
  const turns = createTurns();
  const taken: string[] = [];
  let seed = 1;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;

  function open(wrap?: (table: Table) => Table) {
    const pairs = world.openStore(wrap);
    const generator = { placesInBackground: 1, generateInBackground: async () => newPair() };
    return {
      fill: createKeyPoolFilling({ pairs, sizes: { [type]: size }, random, generator }),
      take: createPooledGeneration({
        pairs,
        sizes: { [type]: size },
        random,
        // A process that died generates nothing.
        generate: async () => Promise.reject(new Error('nothing in the pool')),
        report: (_message, error) => {
          if (isCrash(error)) throw error;
        },
      }),
    };
  }
  const calm = open();
  if (filledBefore) await calm.fill(never);

  const wrapTurns = processes.map((_, index) => turns.wrap(index));
  await turns.run(
    processes.map(({ acts, interruptions: planned }, index) => async () => {
      const interruptions = createInterruptions({
        interrupt: (call) => planned[String(call)],
        strike: strikeInProcess,
        whileSlow: async () => undefined,
      });
      const { take, fill } = open((inner) => interruptions.wrap(wrapTurns[index]?.(inner) ?? inner, 'table'));
      for (const act of acts) {
        try {
          if (act === 'fill') await fill(never);
          else taken.push(nameOf(await take(type, { owner: String(index) })));
        } catch (error) {
          if (isCrash(error)) break;
          if (isKeyfleetError(error, 'unavailable')) continue;
          if (!(error instanceof Error) || error.message !== 'nothing in the pool') throw error;
        }
        expect((await world.table.queryRows(type)).length).toBeLessThanOrEqual(size);
      }
      interrupted += interruptions.taken;
    }),
    order,
  );

  // Whatever happened, the pool fills up again, and what is left in it was never handed out.
  await calm.fill(never);
  expect(await world.table.queryRows(type)).toHaveLength(size);
  for (let left = size; left > 0; left--) taken.push(nameOf(await calm.take(type, { owner: 'last' })));
  expect(await world.table.queryRows(type)).toEqual([]);
  expect(new Set(taken).size, 'no pair twice').toBe(taken.length);
  handedOut += taken.length;
}

const stops: (() => Promise<void>)[] = [];
let openTable: (name: string) => Table;

beforeAll(async () => {
  const directory = await startDirectory();
  const azurite = await openAzurite(directory);
  openTable = azurite.openTable;
  stops.push(
    () => azurite.stop(),
    () => directory.entra.stop(),
  );
});

afterAll(async () => {
  for (const stop of stops) await stop();
  console.log(`${handedOut} pairs handed out, ${interrupted} calls interrupted, 0 pairs twice`);
});

it('no pair is ever handed out twice, and the pool is never too large', async () => {
  await fc.assert(
    fc.asyncProperty(history, (given) => check(given, createMemoryTable())),
    runsOf({ usually: 500, long: 10_000 }),
  );
}, 300_000);

it('nor in Table Storage', async () => {
  // Each history leaves it empty.
  const table = openTable('histories');
  await fc.assert(
    fc.asyncProperty(history, (given) => check(given, table)),
    runsOf({ usually: 50, long: 500 }),
  );
}, 300_000);
