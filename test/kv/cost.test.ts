import diagnostics from 'node:diagnostics_channel';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Action } from '../../src/state/table.ts';
import { useTableStorage } from '../support/table-storage.ts';
import { createCounted, type Counted } from './support/counted.ts';
import { at, createWorld, mount, openHouse, type House, type World } from './support/world.ts';

describe('requests to the tables', () => {
  let world: World;
  let counted: Counted;
  let house: House;

  beforeEach(async () => {
    world = createWorld();
    counted = createCounted();
    house = openHouse(world, (table, name) => counted.wrap(table, name));
    for (let n = 1; n <= 3; n++) await house.secrets.write(at('a/b'), { n }, undefined);
  });

  const read = 'secrets.get';
  const change = 'secrets.transact';
  const config = 'secrets.get';
  const remind = 'reminders.transact';
  const enter = 'folders.transact';

  it('a read takes one, and two if the version is not the current one', async () => {
    const { secrets } = house;
    expect(await counted.during(() => secrets.read(at('a/b'), 0))).toEqual([read]);
    expect(await counted.during(() => secrets.read(at('a/b'), 3))).toEqual([read]);
    expect(await counted.during(() => secrets.read(at('a/b'), 1))).toEqual([read, read]);
    expect(await counted.during(() => secrets.read(at('a/b'), 9))).toEqual([read]);
    expect(await counted.during(() => secrets.read(at('none'), 0))).toEqual([read]);
    expect(await counted.during(() => secrets.readMetadata(at('a/b')))).toEqual([read]);
    expect(await counted.during(() => house.config.read(mount))).toEqual([config]);
  });

  it('a write takes one transaction, and reads the secret and where it needs it the configuration', async () => {
    const { secrets } = house;
    expect(await counted.during(() => secrets.write(at('a/b'), {}, 3))).toEqual([read, config, change]);
    expect(await counted.during(() => secrets.patch(at('a/b'), { p: 1 }, 4))).toEqual([read, config, change]);
    expect(await counted.during(() => secrets.delete(at('a/b')))).toEqual([read, change]);
    expect(await counted.during(() => secrets.undelete(at('a/b'), [5]))).toEqual([read, config, change]);
    expect(await counted.during(() => secrets.destroy(at('a/b'), [1, 2]))).toEqual([read, change]);
    expect(await counted.during(() => secrets.writeMetadata(at('a/b'), { maxVersions: 2 }))).toEqual([read, change]);
    expect(await counted.during(() => secrets.write(at('a/b'), {}, undefined))).toEqual([read, config, change]);
  });

  it('what changes nothing writes nothing', async () => {
    const { secrets } = house;
    expect(await counted.during(() => secrets.delete(at('none')))).toEqual([read]);
    expect(await counted.during(() => secrets.deleteMetadata(at('none')))).toEqual([read]);
    expect(await counted.during(() => secrets.destroy(at('a/b'), [9]))).toEqual([read]);
    expect(await counted.during(() => secrets.writeMetadata(at('a/b'), {}))).toEqual([]);
    const refused = () => expect(secrets.write(at('a/b'), {}, 1)).rejects.toThrow();
    expect(await counted.during(refused)).toEqual([read, config]);
    expect(await counted.during(() => house.config.write(mount, { maxVersions: 0 }))).toEqual([config]);
  });

  it('an end of its own takes a reminder', async () => {
    await house.config.write(mount, { deleteVersionAfterSeconds: 60 });
    const write = () => house.secrets.write(at('a/b'), {}, undefined);
    expect(await counted.during(write)).toEqual([read, config, remind, change]);
  });

  it('the first version also takes a reminder there and back, an entry in each folder on the way, and a look', async () => {
    const create = (path: string) => counted.during(() => house.secrets.write(at(path), {}, 0));
    expect(await create('new')).toEqual([read, config, remind, change, enter, read, remind]);
    expect(await create('x/y/z')).toEqual([read, config, remind, change, enter, enter, enter, read, remind]);
  });

  it('a removal takes the same, and looks into each folder on the way before and after', async () => {
    const remove = (path: string) => counted.during(() => house.secrets.deleteMetadata(at(path)));
    const level = ['folders.query', enter, 'folders.query'];
    await house.secrets.write(at('top'), {}, undefined);
    expect(await remove('top')).toEqual([read, remind, change, enter, read, remind]);
    expect(await remove('a/b')).toEqual([read, remind, change, enter, ...level, read, remind]);
  });

  it('a list takes one query, of its own folder', async () => {
    expect(await counted.during(() => house.secrets.list(mount, ''))).toEqual(['folders.query']);
    expect(await counted.during(() => house.secrets.list(mount, 'a'))).toEqual(['folders.query']);
  });

  it('the sweep takes one query, and then what is due', async () => {
    expect(await counted.during(() => house.sweep())).toEqual(['reminders.query']);
    await house.config.write(mount, { deleteVersionAfterSeconds: 60 });
    for (const path of ['soon', 'soon-too']) await house.secrets.write(at(path), {}, undefined);
    world.pass(59);
    for (let n = 0; n < 50; n++) await house.secrets.write(at(`later-${n}`), {}, undefined);
    world.pass(1);
    const calls = await counted.during(() => house.sweep());
    expect(calls.toSorted()).toEqual(
      ['reminders.query', ...Array.from({ length: 2 }, () => [read, change, enter, read, remind]).flat()].toSorted(),
    );
  });

  it('disabling a mount takes two for each secret, one for each folder to read it and one for each hundred names', async () => {
    for (let n = 0; n < 250; n++) await house.secrets.write(at(`many/${n}`), {}, undefined);
    const calls = await counted.during(() => house.removeAll(mount));
    const count = (call: string) => calls.filter((made) => made === call).length;
    expect({ reads: count(read), changes: count(change) }).toEqual({ reads: 251, changes: 251 });
    expect(count('folders.query') + count('folders.transact')).toBe(2 * 3 + 3 + 1 + 1);
    expect(count('reminders.query')).toBe(1);
    expect(calls).toHaveLength(251 * 2 + 11 + 1);
  });
});

describe('requests to Table Storage', () => {
  const openTable = useTableStorage();
  let house: House;
  const names = 10_000;

  beforeAll(async () => {
    const world = createWorld(openTable);
    house = openHouse(world);
    await house.secrets.write(at('wide/deep/er/secret'), {}, undefined);
    const folders = world.openTable('folders');
    for (let start = 0; start < names; start += 100) {
      const actions = Array.from({ length: 100 }, (_, index): Action => ({
        kind: 'upsert',
        row: `name-${String(start + index).padStart(6, '0')}`,
        properties: {},
      }));
      await folders.transact(`folder|${mount}|wide`, actions);
    }
  }, 120_000);

  /** Requests of this process, counted below every client and its retries. */
  async function requestsDuring(act: () => Promise<unknown>): Promise<number> {
    let requests = 0;
    const count = () => void requests++;
    diagnostics.subscribe('http.client.request.start', count);
    try {
      await act();
    } finally {
      diagnostics.unsubscribe('http.client.request.start', count);
    }
    return requests;
  }

  it('a list of 10,000 names takes about ten, and brings all of them', async () => {
    let listed: string[] = [];
    const requests = await requestsDuring(async () => (listed = await house.secrets.list(mount, 'wide')));
    expect(listed).toHaveLength(names + 1);
    expect(new Set(listed).size).toBe(names + 1);
    expect(listed.slice(0, 3)).toEqual(['deep/', 'name-000000', 'name-000001']);
    expect(listed.at(-1)).toBe('name-009999');
    expect(requests).toBeGreaterThanOrEqual(10);
    expect(requests).toBeLessThanOrEqual(12);
  });

  it('lists beside and below it take one', async () => {
    for (const folder of ['', 'wide/deep', 'wide/deep/er', 'wide/none']) {
      expect(await requestsDuring(() => house.secrets.list(mount, folder))).toBe(1);
    }
  });

  it('making and removing a secret in it read no more than anywhere else', async () => {
    const making = await requestsDuring(() => house.secrets.write(at('wide/new'), {}, undefined));
    const makingElsewhere = await requestsDuring(() => house.secrets.write(at('narrow/new'), {}, undefined));
    const removing = await requestsDuring(() => house.secrets.deleteMetadata(at('wide/new')));
    const removingElsewhere = await requestsDuring(() => house.secrets.deleteMetadata(at('narrow/new')));
    expect({ making, removing }).toEqual({ making: makingElsewhere, removing: removingElsewhere });
    expect({ making, removing }).toEqual({ making: 8, removing: 9 });
  });

  it('a read takes one', async () => {
    expect(await requestsDuring(() => house.secrets.read(at('wide/deep/er/secret'), 0))).toBe(1);
  });
});
