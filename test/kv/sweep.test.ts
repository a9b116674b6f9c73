import { beforeEach, expect, test } from 'vitest';
import { KeyfleetError } from '../../src/errors.ts';
import type { SecretChange } from '../../src/state/secret-records.ts';
import { at, createWorld, mount, openHouse, start, type House, type World } from './support/world.ts';

let world: World;
let house: House;

beforeEach(async () => {
  world = createWorld();
  house = openHouse(world);
  await house.config.write(mount, { deleteVersionAfterSeconds: 60 });
});

const lastChange = async (path: string): Promise<SecretChange | undefined> =>
  (await house.state.secrets.read(at(path)))?.lastChange;
const reminders = async () => (await world.openTable('reminders').query('open')).length;

test('every change leaves its note, and numbers grow across removal', async () => {
  const noted: unknown[] = [];
  const { secrets } = house;
  for (const change of [
    () => secrets.write(at('a'), {}, 0),
    () => secrets.patch(at('a'), { p: 1 }, 1),
    () => secrets.delete(at('a')),
    () => secrets.undelete(at('a'), [1, 2]),
    () => secrets.destroy(at('a'), [1]),
    () => secrets.writeMetadata(at('a'), { maxVersions: 3 }),
    async () => secrets.patchMetadata(at('a'), () => ({ customMetadata: { k: 'v' } })),
    () => secrets.deleteMetadata(at('a')),
    () => secrets.write(at('a'), {}, 0),
  ]) {
    world.pass(1);
    await change();
    const { kind, sequence, time } = (await lastChange('a')) ?? {};
    expect(time).toEqual(world.now());
    noted.push([sequence, kind]);
  }
  expect(noted).toEqual([
    [1, 'version'],
    [2, 'patch'],
    [3, 'delete'],
    [4, 'undelete'],
    [5, 'destroy'],
    [6, 'metadata'],
    [7, 'metadata'],
    [8, 'metadata-delete'],
    [9, 'version'],
  ]);
});

test('an end is seen at once, and noted by the sweep, once', async () => {
  await house.secrets.write(at('a'), { x: 1 }, undefined);
  world.pass(59);
  await house.sweep();
  expect(await lastChange('a')).toMatchObject({ kind: 'version', sequence: 1 });
  world.pass(1);
  expect(await house.secrets.read(at('a'), 0)).toMatchObject({ kind: 'gone' });
  expect(await lastChange('a')).toMatchObject({ kind: 'version', sequence: 1 });
  await house.sweep();
  expect(await lastChange('a')).toMatchObject({ kind: 'delete', sequence: 2, time: world.now() });
  expect(await reminders()).toBe(0);
  world.pass(3600);
  await house.sweep();
  expect(await lastChange('a')).toMatchObject({ sequence: 2 });
  const record = await house.secrets.readMetadata(at('a'));
  expect(record?.versions[0]?.deletionTime).toEqual(new Date(start.getTime() + 60_000));
});

test('each version has an end of its own', async () => {
  for (let n = 1; n <= 3; n++) {
    await house.secrets.write(at('a'), { n }, undefined);
    world.pass(20);
  }
  const sequences: unknown[] = [];
  for (let n = 1; n <= 4; n++) {
    await house.sweep();
    sequences.push((await lastChange('a'))?.sequence);
    world.pass(20);
  }
  expect(sequences).toEqual([4, 5, 6, 6]);
});

test.each([
  ['deleted', (path: string) => house.secrets.delete(at(path))],
  ['destroyed', (path: string) => house.secrets.destroy(at(path), [1])],
  ['removed', (path: string) => house.secrets.deleteMetadata(at(path))],
  [
    'kept for good',
    async (path: string) => {
      await house.config.write(mount, { deleteVersionAfterSeconds: -1 });
      await house.secrets.undelete(at(path), [1]);
    },
  ],
])('what was %s before its end needs no other note', async (_how, act) => {
  await house.secrets.write(at('a'), {}, undefined);
  world.pass(30);
  await act('a');
  const before = await lastChange('a');
  world.pass(600);
  await house.sweep();
  expect(await lastChange('a')).toEqual(before);
  expect(await reminders()).toBe(0);
});

test('what was brought back has its new end', async () => {
  await house.secrets.write(at('a'), {}, undefined);
  world.pass(61);
  await house.sweep();
  await house.secrets.undelete(at('a'), [1]);
  world.pass(59);
  await house.sweep();
  expect(await lastChange('a')).toMatchObject({ kind: 'undelete' });
  world.pass(1);
  await house.sweep();
  expect(await lastChange('a')).toMatchObject({ kind: 'delete', sequence: 4 });
});

test('whoever wrote meanwhile is not overwritten', async () => {
  await house.secrets.write(at('a'), { n: 1 }, undefined);
  world.pass(60);
  let wrote = false;
  const sweeper = openHouse(world, (table, name) => ({
    ...table,
    async transact(partition, actions) {
      if (name === 'secrets' && !wrote) {
        wrote = true;
        await house.secrets.write(at('a'), { n: 2 }, 1);
      }
      return table.transact(partition, actions);
    },
  }));
  await sweeper.sweep();
  expect(await house.secrets.read(at('a'), 0)).toMatchObject({ data: { n: 2 } });
  expect(await lastChange('a')).toMatchObject({ kind: 'delete', sequence: 3 });
});

test('one secret that cannot be seen to keeps nobody else waiting, and stays due', async () => {
  for (const path of ['a', 'broken', 'c']) await house.secrets.write(at(path), {}, undefined);
  world.pass(60);
  const failing = openHouse(world, (table, name) => ({
    ...table,
    async get(partition, row) {
      if (name === 'secrets' && partition.endsWith('|broken')) throw new KeyfleetError('unavailable', 'injected');
      return table.get(partition, row);
    },
  }));
  await expect(failing.sweep()).rejects.toMatchObject({ message: '1 of 3 reminders could not be seen to' });
  for (const path of ['a', 'c']) expect(await lastChange(path)).toMatchObject({ kind: 'delete' });
  await house.sweep();
  expect(await lastChange('broken')).toMatchObject({ kind: 'delete' });
});

test('folders of secrets whose making or removal was cut short agree within a minute', async () => {
  const cut = openHouse(world, (table, name) => ({
    ...table,
    async transact(partition, actions) {
      if (name === 'folders') throw new KeyfleetError('unavailable', 'injected');
      return table.transact(partition, actions);
    },
  }));
  await house.secrets.write(at('x/old'), {}, undefined);
  await expect(cut.secrets.write(at('y/new'), {}, undefined)).rejects.toThrow('injected');
  await expect(cut.secrets.deleteMetadata(at('x/old'))).rejects.toThrow('injected');
  expect(await house.secrets.list(mount, '')).toEqual(['x/']);
  world.pass(61);
  await house.sweep();
  expect(await house.secrets.list(mount, '')).toEqual(['y/']);
  expect(await house.secrets.list(mount, 'y')).toEqual(['new']);
});

test('a patch of nothing leaves no note', async () => {
  await house.secrets.write(at('a'), {}, undefined);
  expect(await house.secrets.patchMetadata(at('a'), () => ({}))).toBe(true);
  expect(await lastChange('a')).toMatchObject({ sequence: 1 });
});

test('disabling a mount fails if one secret is left, and finishes when it is done again', async () => {
  const broken = openHouse(world, (table, name) => ({
    ...table,
    async transact(partition, actions) {
      if (name === 'secrets' && partition.endsWith('|x+2Fbroken')) throw new KeyfleetError('unavailable', 'injected');
      return table.transact(partition, actions);
    },
  }));
  for (const path of ['x/a', 'x/broken', 'x/c', 'y']) await house.secrets.write(at(path), {}, undefined);
  await expect(broken.removeAll(mount)).rejects.toThrow('injected');
  expect(await house.secrets.read(at('x/c'), 0)).toEqual({ kind: 'absent' });
  expect(await house.secrets.list(mount, 'x')).toContain('broken');
  await house.removeAll(mount);
  for (const path of ['x/broken', 'y']) expect(await house.secrets.read(at(path), 0)).toEqual({ kind: 'absent' });
  expect(await house.secrets.list(mount, '')).toEqual([]);
});

test('disabling a mount empties folders whoever takes something out meanwhile', async () => {
  for (const path of ['a', 'b', 'c']) await house.secrets.write(at(path), {}, undefined);
  let taken = false;
  const slow = openHouse(world, (table, name) => ({
    ...table,
    async transact(partition, actions) {
      if (name === 'folders' && !taken) {
        taken = true;
        await table.transact(partition, [{ kind: 'remove', row: 'b' }]);
      }
      return table.transact(partition, actions);
    },
  }));
  await slow.removeAll(mount);
  expect(await house.secrets.list(mount, '')).toEqual([]);
});

test('disabling a mount takes what no folder lists yet, and leaves other mounts alone', async () => {
  const cut = openHouse(world, (table, name) => ({
    ...table,
    async transact(partition, actions) {
      if (name === 'folders') throw new KeyfleetError('unavailable', 'injected');
      return table.transact(partition, actions);
    },
  }));
  await expect(cut.secrets.write(at('unlisted'), {}, undefined)).rejects.toThrow('injected');
  await expect(cut.secrets.write({ mount: 'other', path: 'unlisted' }, {}, undefined)).rejects.toThrow('injected');
  await house.removeAll(mount);
  expect(await house.secrets.read(at('unlisted'), 0)).toEqual({ kind: 'absent' });
  expect(await house.secrets.read({ mount: 'other', path: 'unlisted' }, 0)).toMatchObject({ kind: 'present' });
});
