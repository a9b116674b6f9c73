import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSweep, type SweepOptions } from '../../src/reconcile/sweep.ts';
import { createIntentStore, type IntentStore, type Subject } from '../../src/state/intents.ts';
import type { Table } from '../../src/state/table.ts';
import { createCounted } from '../kv/support/counted.ts';
import { createMemoryTable } from '../support/memory-table.ts';
import { runsOf } from '../support/runs.ts';

const timeBoxSeconds = 50;
const distributionOf = (index: number): Subject => ({
  kind: 'distribution',
  mount: 'm',
  key: `k${index}`,
  provider: 'p',
});

/** Intents, and a clock that moves with each of them that is woken. */
function createScene({ table = createMemoryTable(), wakeSeconds = 0 }: { table?: Table; wakeSeconds?: number } = {}) {
  let time = Date.parse('2026-01-01T00:00:00Z');
  const now = () => new Date(time);
  const intents = createIntentStore(table);
  const woken = new Map<string, number>();
  const count = (name: string) => void woken.set(name, (woken.get(name) ?? 0) + 1);
  return {
    intents,
    woken,
    now,
    pass: (seconds: number) => void (time += seconds * 1000),
    async open(subjects: readonly Subject[]) {
      for (const subject of subjects) await intents.put(subject, { dueTime: now(), attempts: 0 });
    },
    /** One run of the timer, by a process of its own. */
    sweep(changes: Partial<SweepOptions['visits']> = {}, store: IntentStore = intents) {
      const visits = { key: async () => undefined, provider: async () => undefined, ...changes };
      const messaging = {
        async wake({ key }: { key: string }) {
          time += wakeSeconds * 1000;
          count(key);
        },
        check: async () => undefined,
      };
      return createSweep({ intents: store, messaging, visits, now })();
    },
  };
}

const inOrder = (count: number) => Array.from({ length: count }, (_, index) => distributionOf(index));

describe('a sweep of more intents than there is time for', () => {
  it('wakes each of them within as many runs as that many take, whoever runs', async () => {
    let runs = 0;
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 1_500 }),
      fc.integer({ min: 50, max: 2_000 }),
      fc.constantFrom(0, 20, 60, 120),
      async (size, wakeMilliseconds, pause) => {
        const scene = createScene({ wakeSeconds: wakeMilliseconds / 1000 });
        await scene.open(inOrder(size));
        const capacity = Math.ceil((timeBoxSeconds * 1000) / wakeMilliseconds);
        const enough = Math.ceil(size / capacity);
        // What was woken is due again before its next turn, if only the pauses are long enough.
        for (let round = 1; round <= 2; round++) {
          for (let run = 0; run < enough; run++) {
            await scene.sweep();
            scene.pass(pause);
            runs++;
          }
          scene.pass(60);
          if (round === 1) expect(scene.woken.size).toBe(size);
        }
        expect(Math.min(...scene.woken.values())).toBeGreaterThanOrEqual(2);
      },
    );
    await fc.assert(property, runsOf({ usually: 25, long: 300 }));
    console.log(`${runs} runs`);
  });

  it('goes on where the one before stopped, which is where they are as many as ten runs take', async () => {
    const scene = createScene({ wakeSeconds: 0.5 });
    await scene.open(inOrder(1_000));
    for (let run = 1; run <= 10; run++) {
      await scene.sweep();
      scene.pass(10);
      expect(scene.woken.size).toBe(run * 100);
      expect(Math.max(...scene.woken.values())).toBe(1);
    }
    await scene.sweep();
    expect(await scene.intents.readPlace(), 'the second round has begun').toBeDefined();
    expect([...scene.woken.values()].filter((times) => times === 2)).toHaveLength(100);
  });

  it('comes to those before the place where the one before stopped, too', async () => {
    const scene = createScene();
    await scene.open(inOrder(10));
    await scene.intents.writePlace(distributionOf(5));
    await scene.sweep();
    expect([...scene.woken.keys()]).toEqual(['k6', 'k7', 'k8', 'k9', 'k0', 'k1', 'k2', 'k3', 'k4', 'k5']);
    expect(await scene.intents.readPlace()).toBeUndefined();
  });

  it('goes on where a process died', async () => {
    const scene = createScene();
    await scene.open(inOrder(2_500));
    let pages = 0;
    const dying: IntentStore = {
      ...scene.intents,
      pages: async function* (range) {
        for await (const page of scene.intents.pages(range)) {
          if (pages++ === 2) throw new Error('died');
          yield page;
        }
      },
    };
    await expect(scene.sweep({}, dying)).rejects.toThrow('died');
    expect(scene.woken.size).toBe(2_000);
    scene.pass(120);
    const place = await scene.intents.readPlace();
    const first = (await Array.fromAsync(scene.intents.pages({ after: place })))[0]?.[0]?.subject;
    expect(first).toEqual((await scene.intents.list())[1_000]?.subject);
    await scene.sweep();
    expect(scene.woken.size).toBe(2_500);
    expect(await scene.intents.readPlace()).toBeUndefined();
  });

  it('those that always fail hold up nobody', async () => {
    const scene = createScene();
    const keys = Array.from({ length: 300 }, (_, index): Subject => ({ kind: 'key', mount: 'm', key: `x${index}` }));
    await scene.open([...keys, ...inOrder(200), { kind: 'provider', mount: 'm', provider: 'last' }]);
    let isLastSeen = false;
    const visits = {
      async key() {
        scene.pass(1);
        throw new Error('broken');
      },
      async provider() {
        isLastSeen = true;
        return undefined;
      },
    };
    for (let run = 0; run < 5; run++) {
      await scene.sweep(visits).catch((error: unknown) => expect(error).toBeInstanceOf(AggregateError));
    }
    expect(scene.woken.size).toBe(200);
    expect(isLastSeen).toBe(true);
    expect(await scene.intents.list()).toHaveLength(300 + 200);
  });
});

describe('a sweep', () => {
  it('leaves one that was written meanwhile, and wakes the others', async () => {
    const scene = createScene();
    await scene.open(inOrder(50));
    const meanwhile: IntentStore = {
      ...scene.intents,
      pages: async function* (range) {
        for await (const page of scene.intents.pages(range)) {
          await scene.intents.put(distributionOf(7), { dueTime: new Date(scene.now().getTime() + 1000), attempts: 3 });
          yield page;
        }
      },
    };
    await scene.sweep({}, meanwhile);
    expect(scene.woken.size).toBe(49);
    expect(scene.woken.has('k7')).toBe(false);
    expect(await scene.intents.read(distributionOf(7))).toMatchObject({ attempts: 3 });
  });

  it('wakes those that are due and no others, once, with what they are to be woken with', async () => {
    const scene = createScene();
    await scene.open(inOrder(3));
    await scene.intents.put(distributionOf(1), { dueTime: new Date(scene.now().getTime() + 1), attempts: 0 });
    await scene.sweep();
    await scene.sweep();
    expect([...scene.woken]).toEqual([
      ['k0', 1],
      ['k2', 1],
    ]);
    expect(await scene.intents.read(distributionOf(0))).toMatchObject({
      attempts: 1,
      dueTime: new Date(scene.now().getTime() + 60_000),
    });
  });

  it('costs two requests where nothing is open, and then as much as there is', async () => {
    const costOf = async (size: number, secondsLeft = 0) => {
      const counted = createCounted();
      const scene = createScene({ table: counted.wrap(createMemoryTable(), 'intents') });
      await scene.open(inOrder(size));
      scene.pass(-secondsLeft);
      const calls = await counted.during(() => scene.sweep());
      expect(scene.woken.size).toBe(secondsLeft === 0 ? size : 0);
      const of = (method: string) => calls.filter((call) => call === `intents.${method}`).length;
      return { get: of('get'), query: of('query'), transact: of('transact') };
    };
    expect(await costOf(0)).toEqual({ get: 1, query: 1, transact: 0 });
    for (const size of [1_000, 4_000]) {
      const pages = size / 1_000;
      const costs = await costOf(size);
      console.log(`${size} intents: ${JSON.stringify(costs)}`);
      // The last query finds nothing; where it is, it notes before each further page, and at the end that it is nowhere.
      const notes = pages === 1 ? 0 : pages;
      expect(costs).toEqual({ get: 1, query: pages + 1, transact: size / 100 + notes });
      expect(await costOf(size, 60)).toEqual({ get: 1, query: pages + 1, transact: 0 });
    }
  });
});
