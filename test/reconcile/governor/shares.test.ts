import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyfleetError } from '../../../src/errors.ts';
import { seededRandom } from '../../../src/local/faults.ts';
import { createShares, type Share } from '../../../src/reconcile/governor/shares.ts';
import { createInstanceStore, type InstanceStore } from '../../../src/state/instances.ts';
import type { Table } from '../../../src/state/table.ts';
import { createMemoryTable } from '../../support/memory-table.ts';
import { runsOf } from '../../support/runs.ts';
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts';

const windowMilliseconds = 10_000;
const scope = 'vault';

/** Storage that takes its time, before and after the effect. */
function slowStore(clock: VirtualClock, table: Table, delay: () => number): InstanceStore {
  const slow =
    <Parameters extends unknown[], Result>(operation: (...parameters: Parameters) => Promise<Result>) =>
    async (...parameters: Parameters): Promise<Result> => {
      await clock.sleep(delay());
      const result = await operation(...parameters);
      await clock.sleep(delay());
      return result;
    };
  const store = createInstanceStore(table);
  return { put: slow(store.put), list: slow(store.list), remove: slow(store.remove) };
}

function openShares(clock: VirtualClock, instances: InstanceStore, instanceId: string) {
  const { wallClock } = clock;
  return createShares({ instances, instanceId, clock, wallClock, windowMilliseconds, onChange: () => undefined });
}

const broken: InstanceStore = {
  put: () => Promise.reject(new KeyfleetError('unavailable', 'storage is away')),
  list: () => Promise.reject(new KeyfleetError('unavailable', 'storage is away')),
  remove: () => Promise.reject(new KeyfleetError('unavailable', 'storage is away')),
};

const comings = fc.array(
  fc.record({ joinsAt: fc.nat({ max: 20 }).map((step) => step * 50), staysFor: fc.integer({ min: 500, max: 60_000 }) }),
  { minLength: 2, maxLength: 6 },
);

describe('shares', () => {
  it(
    'never add up to more than all, over a whole window, nor is the reserve taken twice',
    { timeout: 600_000 },
    async () => {
      let looks = 0;
      const { numRuns, seed } = runsOf({ usually: 80, long: 3_000 });
      await fc.assert(
        fc.asyncProperty(
          comings,
          fc.array(fc.nat({ max: 60_000 }), { maxLength: 3 }),
          fc.nat(),
          async (early, late, drawn) => {
            const clock = createVirtualClock();
            const random = seededRandom(drawn);
            const table = createMemoryTable();
            const instances = slowStore(clock, table, () => 100 * random());
            const all = [...early, ...late.map((joinsAt) => ({ joinsAt, staysFor: 30_000 }))];
            const uses = all.map(({ joinsAt, staysFor }, index) => ({
              shares: openShares(clock, instances, `instance-${index}`),
              from: joinsAt,
              to: joinsAt + staysFor,
              seen: [] as { at: number; share: Share }[],
            }));
            for (let at = 0; at < 120_000; at += 100) {
              for (const use of uses) {
                if (at < use.from || at >= use.to) continue;
                const share = use.shares.of(scope);
                if (share !== undefined) use.seen.push({ at, share });
              }
              const recent = uses.map(({ seen }) => {
                while (seen[0] !== undefined && seen[0].at <= at - windowMilliseconds) seen.shift();
                return seen;
              });
              const sum = recent.reduce(
                (total, seen) => total + Math.max(0, ...seen.map(({ share }) => share.fraction)),
                0,
              );
              expect(Math.round(sum * 1e6), 'the sum of the shares').toBeLessThanOrEqual(1e6);
              // Whoever has claimed a fraction since pays for what it took of the reserve out of that.
              const rows = await table.query(scope);
              const claimed = (instance: number) =>
                Number(rows.find(({ row }) => row === `instance-${instance}`)?.properties['share'] ?? 0);
              const reserved = recent.filter((seen, index) => seen.at(-1)?.share.reserve && claimed(index) === 0);
              expect(reserved.length, 'who took the reserve').toBeLessThanOrEqual(1);
              looks++;
              await clock.pass(100);
            }
          },
        ),
        { numRuns, seed },
      );
      console.log(`${looks} looks, never more than all`);
    },
  );

  it.each([1, 2, 3, 7])('are even between %i instances that stay', async (count) => {
    const clock = createVirtualClock();
    const instances = createInstanceStore(createMemoryTable());
    const uses = Array.from({ length: count }, (_, index) => openShares(clock, instances, `instance-${index}`));
    for (const shares of uses) {
      shares.of(scope);
      await clock.pass(700);
    }
    for (let second = 0; second < 40; second++) {
      for (const shares of uses) shares.of(scope);
      await clock.pass(1000);
    }
    const fractions = uses.map((shares) => shares.of(scope)?.fraction ?? 0);
    for (const fraction of fractions) expect(fraction).toBeCloseTo(1 / count, 4);
  });

  it('are known at once to the only instance, and to a second one that finds the first at work only a little later', async () => {
    const clock = createVirtualClock();
    const instances = createInstanceStore(createMemoryTable());
    const first = openShares(clock, instances, 'first');
    expect(first.of(scope)).toBeUndefined();
    await clock.pass(1);
    expect(first.of(scope)).toEqual({ fraction: 1, reserve: false });
    const second = openShares(clock, instances, 'second');
    second.of(scope);
    await clock.pass(1);
    expect(second.of(scope)).toEqual({ fraction: 0, reserve: true });
    for (let turn = 0; turn < 20; turn++) {
      first.of(scope);
      second.of(scope);
      await clock.pass(1000);
    }
    expect(second.of(scope)).toEqual({ fraction: 0.5, reserve: false });
  });

  it('of an instance that was killed go to the others, and its row goes after a while', async () => {
    const clock = createVirtualClock();
    const table = createMemoryTable();
    const instances = createInstanceStore(table);
    await instances.put(scope, {
      instance: 'killed',
      share: 1_000_000,
      heldShare: 0,
      heldUntil: clock.wallClock(),
      seenTime: clock.wallClock(),
    });
    const survivor = openShares(clock, instances, 'survivor');
    for (let second = 0; second < 70; second++) {
      survivor.of(scope);
      if (second === 10) expect(survivor.of(scope)?.fraction).toBe(0);
      if (second === 20) expect(survivor.of(scope)?.fraction).toBe(1);
      await clock.pass(1000);
    }
    expect((await instances.list(scope)).map(({ instance }) => instance)).toEqual(['survivor']);
  });

  it('are given up by whoever has nothing to do', async () => {
    const clock = createVirtualClock();
    const instances = createInstanceStore(createMemoryTable());
    openShares(clock, instances, 'idle').of(scope);
    await clock.pass(10_000);
    expect(await instances.list(scope)).toHaveLength(1);
    await clock.pass(10_000);
    expect(await instances.list(scope)).toEqual([]);
  });

  it('stay as they were while storage is away, and are all for whoever never had any', async () => {
    const clock = createVirtualClock();
    const working = createInstanceStore(createMemoryTable());
    let store = working;
    const instances: InstanceStore = {
      put: (...parameters) => store.put(...parameters),
      list: (...parameters) => store.list(...parameters),
      remove: (...parameters) => store.remove(...parameters),
    };
    const one = openShares(clock, instances, 'one');
    const other = openShares(clock, instances, 'other');
    for (let second = 0; second < 60; second++) {
      if (second === 30) store = broken;
      one.of(scope);
      other.of(scope);
      await clock.pass(1000);
    }
    expect([one.of(scope)?.fraction, other.of(scope)?.fraction]).toEqual([0.5, 0.5]);
    const alone = openShares(clock, broken, 'alone');
    alone.of(scope);
    await clock.pass(1);
    expect(alone.of(scope)).toEqual({ fraction: 1, reserve: false });
    const never: Promise<never> = new Promise(() => undefined);
    const waiting = openShares(clock, { ...broken, put: () => never }, 'waiting');
    waiting.of(scope);
    await clock.pass(1_100);
    expect(waiting.of(scope)).toEqual({ fraction: 1, reserve: false });
  });
});
