import { describe, expect, it } from 'vitest';
import { createKeyPairGenerator } from '../../src/keymgmt/key-generation.ts';
import { createKeyPoolFilling } from '../../src/keymgmt/key-pool-filling.ts';
import { createPooledGeneration, type KeyPoolSizes } from '../../src/keymgmt/key-pool.ts';
import { keyTypes, type KeyType } from '../../src/keymgmt/key-types.ts';
import type { Table } from '../../src/state/table.ts';
import { createKeyMaker, settled } from '../support/key-maker.ts';
import { createPairWorld, isZero, nameOf, newPair } from '../support/key-pairs.ts';

const owner = 'mount';
const never = new AbortController().signal;

/** A pool whose pairs take no time, and what went wrong with it. */
function openPool(sizes: KeyPoolSizes, world = createPairWorld(), wrap?: (table: Table) => Table) {
  const pairs = world.openStore(wrap);
  const made: { type: KeyType; name: string; privateKey: Buffer }[] = [];
  const reports: string[] = [];
  const generator = createKeyPairGenerator({
    threadPoolSize: 4,
    async makeKeyPair(type) {
      const pair = newPair();
      made.push({ type, name: nameOf(pair), privateKey: pair.privateKey });
      return pair;
    },
  });
  const random = Math.random;
  return {
    pairs,
    made,
    reports,
    generate: createPooledGeneration({
      pairs,
      sizes,
      random,
      generate: generator.generate,
      report: (_message, error) => reports.push(String(error)),
    }),
    fill: createKeyPoolFilling({ pairs, sizes, random, generator }),
  };
}

const counted = async (world = createPairWorld()) => {
  const pairs = world.openStore();
  const counts = await Promise.all(keyTypes.map(async (type) => [type, (await pairs.slots(type)).length]));
  return Object.fromEntries(counts) as Record<KeyType, number>;
};

/** Every call fails. */
const broken = (): Table =>
  new Proxy({} as Table, {
    get: () => async () => {
      throw new Error('the table is away');
    },
  });

describe('a pair', () => {
  it('comes from the pool while it has one, and is made when it has none', async () => {
    const pool = openPool({ 'rsa-2048': 3 });
    await pool.fill(never);
    const pooled = pool.made.map(({ name }) => name);
    expect(pooled).toHaveLength(3);
    const taken: string[] = [];
    for (let index = 0; index < 4; index++) taken.push(nameOf(await pool.generate('rsa-2048', { owner })));
    expect(taken.slice(0, 3).sort()).toEqual(pooled.sort());
    expect(taken[3]).toBe(pool.made[3]?.name);
    expect(pool.reports).toEqual([]);
  });

  it('of a type that is not in the pool is made without a look at it', async () => {
    const pool = openPool({ 'rsa-2048': 3, 'rsa-4096': 0 }, createPairWorld(), broken);
    await pool.generate('rsa-3072', { owner });
    await pool.generate('rsa-4096', { owner });
    expect(pool.made.map(({ type }) => type)).toEqual(['rsa-3072', 'rsa-4096']);
    expect(pool.reports).toEqual([]);
  });

  it('is made when the table is away, and that is told', async () => {
    const pool = openPool({ 'rsa-2048': 3 }, createPairWorld(), broken);
    await pool.generate('rsa-2048', { owner });
    expect(pool.made).toHaveLength(1);
    expect(pool.reports).toEqual(['Error: the table is away']);
  });

  it('is made when the one in the pool was tampered with, and that is told', async () => {
    const world = createPairWorld();
    const pool = openPool({ 'rsa-2048': 2 }, world);
    await pool.fill(never);
    const [one, other] = [await world.table.get('rsa-2048', '000000'), await world.table.get('rsa-2048', '000001')];
    for (const [row, properties] of [
      ['000000', other?.properties],
      ['000001', one?.properties],
    ] as const) {
      await world.table.transact('rsa-2048', [{ kind: 'upsert', row, properties: properties ?? {} }]);
    }
    const name = nameOf(await pool.generate('rsa-2048', { owner }));
    expect(name).toBe(pool.made[2]?.name);
    expect(pool.reports).toEqual([expect.stringMatching(/damaged or was moved/)]);
  });
});

describe('filling', () => {
  it('makes what is missing and nothing more, and leaves no private key behind', async () => {
    const world = createPairWorld();
    const pool = openPool({ 'rsa-2048': 20, 'rsa-4096': 5 }, world);
    await pool.fill(never);
    expect(await counted(world)).toEqual({ 'rsa-2048': 20, 'rsa-3072': 0, 'rsa-4096': 5 });
    await pool.fill(never);
    expect(pool.made).toHaveLength(25);
    expect(pool.made.every(isZero)).toBe(true);
    await pool.generate('rsa-4096', { owner });
    await pool.fill(never);
    expect(pool.made.map(({ type }) => type).slice(25)).toEqual(['rsa-4096']);
  });

  it('brings all types on together', async () => {
    const pool = openPool({ 'rsa-2048': 40, 'rsa-3072': 2, 'rsa-4096': 10 });
    await pool.fill(never);
    const half = pool.made.slice(0, 26).map(({ type }) => type);
    const count = (type: KeyType) => half.filter((made) => made === type).length;
    expect([count('rsa-2048'), count('rsa-3072'), count('rsa-4096')]).toEqual([20, 1, 5]);
  });

  it('removes what is beyond a smaller size, and all of a type that is no longer named', async () => {
    const world = createPairWorld();
    await openPool({ 'rsa-2048': 20, 'rsa-3072': 4, 'rsa-4096': 3 }, world).fill(never);
    const smaller = openPool({ 'rsa-2048': 6, 'rsa-3072': 0 }, world);
    await smaller.fill(never);
    expect(await counted(world)).toEqual({ 'rsa-2048': 6, 'rsa-3072': 0, 'rsa-4096': 0 });
    expect(smaller.made).toEqual([]);
    await openPool({}, world).fill(never);
    expect(await counted(world)).toEqual({ 'rsa-2048': 0, 'rsa-3072': 0, 'rsa-4096': 0 });
  });

  it('ends when its time is over, keeping what is being made; the next run goes on', async () => {
    const world = createPairWorld();
    const maker = createKeyMaker();
    const time = new AbortController();
    const pairs = world.openStore();
    const generator = createKeyPairGenerator({ threadPoolSize: 5, makeKeyPair: maker.makeKeyPair });
    const filling = createKeyPoolFilling({ pairs, sizes: { 'rsa-2048': 10 }, random: Math.random, generator })(
      time.signal,
    );
    await settled();
    for (let done = 0; done < 4; done++) await maker.finish();
    expect(maker.working).toHaveLength(2);
    time.abort();
    await maker.finish();
    await maker.finish();
    await filling;
    expect(maker.begun).toBe(6);
    expect((await counted(world))['rsa-2048']).toBe(6);
    await openPool({ 'rsa-2048': 10 }, world).fill(never);
    expect((await counted(world))['rsa-2048']).toBe(10);
  });

  it('spreads the pairs of a pool that is not full', async () => {
    const pairs = createPairWorld().openStore();
    const time = new AbortController();
    let made = 0;
    const generator = {
      placesInBackground: 1,
      async generateInBackground() {
        if (++made === 20) time.abort();
        return newPair();
      },
    };
    await createKeyPoolFilling({ pairs, sizes: { 'rsa-2048': 400 }, random: Math.random, generator })(time.signal);
    const slots = await pairs.slots('rsa-2048');
    expect(slots.length).toBeLessThan(25);
    // One in a million times all are on one side.
    expect(slots.some((slot) => slot < 200) && slots.some((slot) => slot >= 200)).toBe(true);
  });

  it('gives way to whoever waits for a pair', async () => {
    const maker = createKeyMaker();
    const generator = createKeyPairGenerator({ threadPoolSize: 3, makeKeyPair: maker.makeKeyPair });
    const pairs = createPairWorld().openStore();
    const filling = createKeyPoolFilling({ pairs, sizes: { 'rsa-4096': 3 }, random: Math.random, generator })(never);
    await settled();
    expect(maker.working).toEqual(['rsa-4096']);
    const urgent = Array.from({ length: 5 }, () => generator.generate('rsa-2048', { owner }));
    await maker.finish();
    for (let done = 0; done < 5; done++) {
      expect(maker.working).toEqual(['rsa-2048']);
      await maker.finish();
    }
    await Promise.all(urgent);
    while (maker.working.length > 0) await maker.finish();
    await filling;
    expect(maker.begun).toBe(3 + 5);
  });

  it('stops when the table fails, says so, and zeroes what it had made', async () => {
    let left = 4 + keyTypes.length * 2;
    const pool = openPool(
      { 'rsa-2048': 50 },
      createPairWorld(),
      (table) =>
        new Proxy(table, {
          get: (target, property, receiver) => {
            if (left-- <= 0) return async () => Promise.reject(new Error('the table is away'));
            return Reflect.get(target, property, receiver) as unknown;
          },
        }),
    );
    await expect(pool.fill(never)).rejects.toThrow('the table is away');
    await settled();
    expect(pool.made.length).toBeLessThan(12);
    expect(pool.made.every(isZero)).toBe(true);
  });

  it('by several at once makes the pool no larger, and little in vain', async () => {
    const world = createPairWorld();
    const pools = Array.from({ length: 3 }, () => openPool({ 'rsa-2048': 60 }, world));
    await Promise.all(pools.map(({ fill }) => fill(never)));
    expect((await counted(world))['rsa-2048']).toBe(60);
    const made = pools.flatMap((pool) => pool.made);
    // What each was at when the last slot was filled.
    expect(made.length).toBeLessThanOrEqual(60 + 3 * 2);
    expect(made.every(isZero)).toBe(true);
  });
});
