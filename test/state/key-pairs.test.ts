import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { KeyPairStore } from '../../src/state/key-pairs.ts';
import type { Table } from '../../src/state/table.ts';
import { isZero, createPairWorld, nameOf, newPair, type PairWorld } from '../support/key-pairs.ts';
import { createMemoryTable } from '../support/memory-table.ts';
import { useTableStorage } from '../support/table-storage.ts';

const openTable = useTableStorage();

describe.each([
  ['Table Storage', openTable],
  ['the twin in memory', () => createMemoryTable()],
])('pairs in %s', (_name, open) => {
  let count = 0;
  let table: Table;
  let pairs: KeyPairStore;
  let world: PairWorld;

  beforeEach(() => {
    world = createPairWorld(open(`pairs${++count}`));
    table = world.table;
    pairs = world.openStore();
  });

  /** @returns the names of the pairs put, by slot */
  async function fill(slots: readonly number[], type = 'rsa-2048'): Promise<Map<number, string>> {
    const names = new Map<number, string>();
    for (const slot of slots) {
      const pair = newPair();
      expect(await pairs.put(type, slot, pair)).toBe(true);
      names.set(slot, nameOf(pair));
    }
    return names;
  }

  const takeName = async (slot: number, type = 'rsa-2048') => {
    const pair = await pairs.take(type, slot);
    return pair && nameOf(pair);
  };

  it('are found again, each once, from a slot on and then from the beginning', async () => {
    const names = await fill([0, 3, 7, 11, 12, 13, 14, 15, 16]);
    expect(await pairs.slots('rsa-2048')).toEqual([...names.keys()]);
    for (const [from, found] of [
      [12, 12],
      [12, 13],
      [4, 7],
      [17, 0],
      [0, 3],
      [16, 16],
      [16, 11],
    ] as const) {
      expect(await takeName(from), `from ${from}`).toBe(names.get(found));
    }
    expect(await pairs.slots('rsa-2048')).toEqual([14, 15]);
    expect(await pairs.take('rsa-4096', 0)).toBeUndefined();
    expect(await takeName(0)).toBe(names.get(14));
    expect(await takeName(0)).toBe(names.get(15));
    expect(await pairs.take('rsa-2048', 0)).toBeUndefined();
  });

  it('of one slot are never two', async () => {
    const [first, second] = [newPair(), newPair()];
    expect(await pairs.put('rsa-2048', 5, first)).toBe(true);
    expect(await pairs.put('rsa-2048', 5, second)).toBe(false);
    // The same one again isn't another one: it must not go elsewhere.
    expect(await pairs.put('rsa-2048', 5, first)).toBe(true);
    expect(await pairs.put('rsa-3072', 5, second)).toBe(true);
    expect(await takeName(0)).toBe(nameOf(first));
    expect(await pairs.slots('rsa-2048')).toEqual([]);
  });

  it('are taken by ten at once, all different, until there is none', async () => {
    const names = await fill(Array.from({ length: 7 }, (_, slot) => slot));
    const taken = await Promise.all(Array.from({ length: 10 }, () => takeName(2)));
    expect(taken.filter((name) => name !== undefined).sort()).toEqual([...names.values()].sort());
    expect(world.opened.length).toBeGreaterThan(7);
    expect(
      world.opened.filter((pair) => !isZero(pair)),
      'but for those taken all are zeroed',
    ).toHaveLength(7);
  });

  it('beyond a size are discarded', async () => {
    await fill(Array.from({ length: 120 }, (_, slot) => slot));
    await fill([0, 1], 'rsa-3072');
    await pairs.discardFrom('rsa-2048', 120);
    expect(await pairs.slots('rsa-2048')).toHaveLength(120);
    await pairs.discardFrom('rsa-2048', 10);
    expect(await pairs.slots('rsa-2048')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await pairs.discardFrom('rsa-2048', 0);
    expect(await pairs.slots('rsa-2048')).toEqual([]);
    expect(await pairs.slots('rsa-3072')).toEqual([0, 1]);
  });

  it('are sealed', async () => {
    const pair = newPair();
    await pairs.put('rsa-2048', 0, pair);
    const stored = await table.get('rsa-2048', '000000');
    expect(Object.keys(stored?.properties ?? {}).sort()).toEqual(['privateKey', 'publicKey']);
    expect(Buffer.from(stored?.properties.publicKey as Uint8Array).equals(pair.publicKey)).toBe(true);
    expect(Buffer.from(stored?.properties.privateKey as Uint8Array).includes(pair.privateKey.subarray(36, 68))).toBe(
      false,
    );
    expect(isZero(pair)).toBe(false);
  });

  const rowsOf = async () => {
    const [one, other] = [await table.get('rsa-2048', '000000'), await table.get('rsa-2048', '000001')];
    if (one === undefined || other === undefined) throw new Error('there are no rows');
    return { one: one.properties, other: other.properties };
  };

  it.each<[what: string, alter: (rows: Awaited<ReturnType<typeof rowsOf>>) => object]>([
    ['the private key of another slot', ({ one, other }) => ({ ...one, privateKey: other.privateKey })],
    ['the public key of another slot', ({ one, other }) => ({ ...one, publicKey: other.publicKey })],
    ['the whole of another slot', ({ other }) => other],
    ['a public key that is none', ({ one }) => ({ ...one, publicKey: randomBytes(91) })],
    [
      'a private key with one bit turned',
      ({ one }) => ({
        ...one,
        privateKey: Buffer.from(one.privateKey as Uint8Array).map((byte, index) => (index === 60 ? byte ^ 4 : byte)),
      }),
    ],
  ])('with %s are refused, and stay', async (_what, alter) => {
    await fill([0, 1]);
    const properties = alter(await rowsOf()) as never;
    await table.transact('rsa-2048', [{ kind: 'upsert', row: '000000', properties }]);
    await expect(pairs.take('rsa-2048', 0)).rejects.toMatchObject({ code: 'internal' });
    expect(await pairs.slots('rsa-2048')).toEqual([0, 1]);
    expect(await takeName(1)).toBeDefined();
  });

  it('moved to another type are refused', async () => {
    await fill([0, 1]);
    const { one } = await rowsOf();
    await table.transact('rsa-4096', [{ kind: 'insert', row: '000000', properties: one }]);
    await expect(pairs.take('rsa-4096', 0)).rejects.toMatchObject({ code: 'internal' });
  });
});
