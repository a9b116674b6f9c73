import { describe, expect, it } from 'vitest';
import { createMemoryTable } from '../support/memory-table.ts';
import { useTableStorage } from '../support/table-storage.ts';
import type { Table } from '../../src/state/table.ts';
import { at, createWorld, mount, openHouse, type House, type World } from './support/world.ts';

const openTable = useTableStorage();

const writers = Array.from({ length: 8 }, (_, index) => index);

describe.each([
  ['Table Storage', openTable],
  ['the twin in memory', () => createMemoryTable()],
])('writers that each have a house of their own over %s', (_name, open) => {
  let world: World;
  let houses: House[];
  let count = 0;

  async function enter(): Promise<void> {
    const prefix = `races${++count}`;
    world = createWorld((name) => open(prefix + name));
    houses = writers.map(() => openHouse(world));
    // Data keys and tables are made by the first who needs them.
    await houses[0]?.secrets.write(at('first'), {}, undefined);
  }

  async function values(path: string): Promise<unknown[]> {
    const house = openHouse(world);
    const record = await house.secrets.readMetadata(at(path));
    const found: unknown[] = [];
    for (const { version } of record?.versions ?? []) {
      const reading = await house.secrets.read(at(path), version);
      found.push(reading.kind === 'present' && reading.data.writer);
    }
    return found;
  }

  it('with check-and-set: one of them, and the others are told', async () => {
    await enter();
    for (const cas of [0, 1, 2]) {
      const outcomes = await Promise.allSettled(
        houses.map((house, writer) => house.secrets.write(at('a'), { writer }, cas)),
      );
      const refusals = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason as Error);
      expect(refusals.map(({ message }) => message)).toEqual(
        Array.from({ length: writers.length - 1 }, () => 'check-and-set parameter did not match the current version'),
      );
      const winner = outcomes.findIndex(({ status }) => status === 'fulfilled');
      expect((await values('a')).at(-1)).toBe(winner);
    }
    expect(await values('a')).toHaveLength(3);
  });

  it('with check-and-set: nothing is lost between reading and writing', async () => {
    await enter();
    await houses[0]?.config.write(mount, { casRequired: true });
    const increment = async (house: House): Promise<void> => {
      for (;;) {
        const reading = await house.secrets.read(at('counter'), 0);
        const [cas, value] =
          reading.kind === 'present' ? [reading.version.version, Number(reading.data.value)] : [0, 0];
        try {
          await house.secrets.write(at('counter'), { value: value + 1 }, cas);
          return;
        } catch (error) {
          expect((error as Error).message).toContain('did not match');
        }
      }
    };
    await Promise.all(
      houses.map(async (house) => {
        await increment(house);
        await increment(house);
      }),
    );
    expect(await houses[0]?.secrets.read(at('counter'), 0)).toMatchObject({ data: { value: 2 * writers.length } });
  });

  it('without check-and-set: all of them, each with a version of its own', async () => {
    await enter();
    const views = await Promise.all(houses.map((house, writer) => house.secrets.write(at('a'), { writer }, undefined)));
    expect(views.map(({ version }) => version).sort()).toEqual(writers.map((index) => index + 1));
    expect((await values('a')).sort()).toEqual(writers);
    for (const [writer, { version }] of views.entries()) expect((await values('a'))[version - 1]).toBe(writer);
  });

  it('patching: every patch is in the end', async () => {
    await enter();
    await houses[0]?.secrets.write(at('a'), {}, undefined);
    await Promise.all(
      houses.map((house, writer) => house.secrets.patch(at('a'), { [`w${writer}`]: writer }, undefined)),
    );
    const reading = await houses[0]?.secrets.read(at('a'), 0);
    expect(reading).toMatchObject({
      data: Object.fromEntries(writers.map((writer) => [`w${writer}`, writer])),
      version: { version: writers.length + 1 },
    });
  });

  it('making and removing the same secrets: folders show what there is', async () => {
    await enter();
    await Promise.all(
      houses.map(async ({ secrets }, writer) => {
        for (let round = 0; round < 4; round++) {
          const path = `x/y/${(writer + round) % 2}`;
          await (writer % 2 === 0 ? secrets.write(at(path), { writer }, undefined) : secrets.deleteMetadata(at(path)));
        }
      }),
    );
    const there: string[] = [];
    for (const name of ['0', '1']) {
      if ((await houses[0]?.secrets.readMetadata(at(`x/y/${name}`))) !== undefined) there.push(name);
    }
    expect(await houses[0]?.secrets.list(mount, 'x/y')).toEqual(there);
    expect(await houses[0]?.secrets.list(mount, 'x')).toEqual(there.length === 0 ? [] : ['y/']);
    expect(await world.openTable('reminders').query('open')).toEqual([]);
  });
});

describe('a reader', () => {
  it.each([
    ['is destroyed', 'gone', (house: House) => house.secrets.destroy(at('a'), [1])],
    ['is too many', 'absent', (house: House) => house.secrets.write(at('a'), {}, undefined)],
    ['goes with all the rest', 'absent', (house: House) => house.secrets.deleteMetadata(at('a'))],
  ])('of a version that %s meanwhile finds it %s', async (_what, kind, act) => {
    const world = createWorld();
    const calm = openHouse(world);
    await calm.secrets.writeMetadata(at('a'), { maxVersions: 2 });
    await calm.secrets.write(at('a'), { n: 1 }, undefined);
    await calm.secrets.write(at('a'), { n: 2 }, undefined);
    let acted = false;
    const reader = openHouse(world, (table) => ({
      ...table,
      async get(partition, row) {
        if (row.startsWith('value|') && !acted) {
          acted = true;
          await act(calm);
        }
        return table.get(partition, row);
      },
    }));
    expect(await reader.secrets.read(at('a'), 1)).toMatchObject({ kind });
    expect(acted).toBe(true);
  });

  it('of a value that is lost is told so, and not made to wait', async () => {
    const world = createWorld();
    const house = openHouse(world);
    await house.secrets.write(at('a'), { n: 1 }, undefined);
    await house.secrets.write(at('a'), { n: 2 }, undefined);
    await world.openTable('secrets').transact(`secret|${mount}|a`, [{ kind: 'remove', row: 'value|0000000001' }]);
    await expect(house.secrets.read(at('a'), 1)).rejects.toMatchObject({ code: 'internal' });
    expect(await house.secrets.read(at('a'), 2)).toMatchObject({ kind: 'present' });
  });
});

describe('a write whose reply is lost and that its client repeats', () => {
  /** Every change is sent twice; what counts is the second answer, as it does with the client of Table Storage. */
  const twice = (table: Table): Table => ({
    ...table,
    async transact(partition, actions) {
      await table.transact(partition, actions);
      return table.transact(partition, actions);
    },
  });

  it('is done once', async () => {
    const house = openHouse(createWorld(), twice);
    const { secrets } = house;
    expect(await secrets.write(at('a/b'), { n: 1 }, 0)).toMatchObject({ version: 1 });
    expect(await secrets.write(at('a/b'), { n: 2 }, 1)).toMatchObject({ version: 2 });
    expect(await secrets.write(at('a/b'), { n: 3 }, undefined)).toMatchObject({ version: 3 });
    expect(await secrets.patch(at('a/b'), { p: 4 }, 3)).toMatchObject({ kind: 'written', version: { version: 4 } });
    await secrets.delete(at('a/b'));
    await secrets.undelete(at('a/b'), [4]);
    await secrets.destroy(at('a/b'), [1]);
    await secrets.writeMetadata(at('a/b'), { maxVersions: 3 });
    expect(await house.state.secrets.read(at('a/b'))).toMatchObject({
      lastChange: { kind: 'metadata', sequence: 8 },
      record: { currentVersion: 4 },
    });
    expect(await secrets.list(mount, 'a')).toEqual(['b']);
    await secrets.deleteMetadata(at('a/b'));
    expect(await secrets.list(mount, '')).toEqual([]);
    await house.config.write(mount, { maxVersions: 7 });
    expect(await house.config.read(mount)).toMatchObject({ maxVersions: 7 });
  });
});

describe('more values than one write can forget', () => {
  async function manyVersions(count: number): Promise<{ world: World; house: House }> {
    const world = createWorld();
    const house = openHouse(world);
    await house.config.write(mount, { maxVersions: 1000 });
    for (let n = 1; n <= count; n++) await house.secrets.write(at('a'), { n }, undefined);
    return { world, house };
  }
  const rows = async (world: World) =>
    (await world.openTable('secrets').query(`secret|${mount}|a`)).map(({ row }) => row);

  // 98, 99 and 248 values to forget beside a new one.
  it.each([100, 101, 250])('of %d versions, go when fewer are kept', async (count) => {
    const { world, house } = await manyVersions(count);
    await house.config.write(mount, { maxVersions: 3 });
    expect(await house.secrets.write(at('a'), { n: count + 1 }, count)).toMatchObject({ version: count + 1 });
    const record = await house.secrets.readMetadata(at('a'));
    expect(record?.versions.map(({ version }) => version)).toEqual([count - 1, count, count + 1]);
    expect(await rows(world)).toHaveLength(4);
    expect(await house.secrets.read(at('a'), count)).toMatchObject({ data: { n: count } });
  });

  it.each([99, 100, 250])('of %d versions, go when they are destroyed', async (count) => {
    const { world, house } = await manyVersions(count);
    await house.secrets.destroy(
      at('a'),
      Array.from({ length: count - 1 }, (_, index) => index + 1),
    );
    expect(await rows(world)).toEqual(['head', `value|${String(count).padStart(10, '0')}`]);
    const record = await house.secrets.readMetadata(at('a'));
    expect(record?.versions.filter(({ destroyed }) => !destroyed).map(({ version }) => version)).toEqual([count]);
  });

  it.each([98, 99, 250])('of %d versions, go with their secret', async (count) => {
    const { world, house } = await manyVersions(count);
    await house.secrets.deleteMetadata(at('a'));
    expect(await rows(world)).toEqual(['head']);
    expect(await house.secrets.read(at('a'), 0)).toEqual({ kind: 'absent' });
    expect(await house.secrets.list(mount, '')).toEqual([]);
  });

  it('are not touched by a write that is refused', async () => {
    const count = 120;
    const { world, house } = await manyVersions(count);
    await house.config.write(mount, { maxVersions: 3 });
    await expect(house.secrets.write(at('a'), {}, 7)).rejects.toThrow('did not match');
    expect(await rows(world)).toHaveLength(count + 1);
  });
});
