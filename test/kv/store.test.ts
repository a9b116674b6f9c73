import { describe, expect, it } from 'vitest';
import { newRecord } from '../../src/kv/versions.ts';
import type { SecretRecord } from '../../src/state/secret-records.ts';
import { mostForgottenAtOnce, type SecretState } from '../../src/state/secrets.ts';
import type { Entity } from '../../src/state/table.ts';
import { createMemoryTable } from '../support/memory-table.ts';
import { useTableStorage } from '../support/table-storage.ts';
import { at, createWorld, mount, openHouse, start, type House, type World } from './support/world.ts';

const openTable = useTableStorage();

const secretValue = 'correct horse battery staple';
const later = (seconds: number) => new Date(start.getTime() + seconds * 1000);
const partition = (path: string) => `secret|${mount}|${path}`;

function recordOf(versions: number): SecretRecord {
  return {
    ...newRecord(start),
    currentVersion: versions,
    versions: Array.from({ length: versions }, (_, index) => ({
      version: index + 1,
      createdTime: start,
      deletionTime: later(index),
      destroyed: false,
    })),
  };
}

describe.each([
  ['Table Storage', openTable],
  ['the twin in memory', () => createMemoryTable()],
])('secrets in %s', (_name, open) => {
  let world: World;
  let house: House;
  let count = 0;
  let id = 0;

  function enter(): House {
    const prefix = `kv${++count}`;
    world = createWorld((name) => open(prefix + name));
    house = openHouse(world);
    return house;
  }

  const change = (kind: 'version' | 'destroy' | 'metadata' | 'metadata-delete') => ({
    kind,
    time: world.now(),
    id: `change-${++id}`,
  });

  /** Writes versions one after another. */
  async function put(path: string, values: readonly string[]): Promise<SecretState> {
    let state = await house.state.secrets.read(at(path));
    for (const [index, newValue] of values.entries()) {
      const write = { record: recordOf(index + 1), change: change('version'), newValue };
      expect(await house.state.secrets.write(at(path), state, write)).toBe(true);
      state = await house.state.secrets.read(at(path));
    }
    if (state === undefined) throw new Error('nothing was written');
    return state;
  }

  const rows = (path: string): Promise<Entity[]> => world.openTable('secrets').query(partition(path));

  it('reads what was written: the record, every value, the change', async () => {
    const { state } = enter();
    expect(await state.secrets.read(at('a/b'))).toBeUndefined();
    const written = await put('a/b', ['{"n":1}', '{"n":2}']);
    expect(written).toMatchObject({
      record: recordOf(2),
      currentValue: '{"n":2}',
      lastChange: { kind: 'version', time: start, id: `change-${id}`, sequence: 2 },
    });
    expect(await state.secrets.readValue(at('a/b'), 1)).toBe('{"n":1}');
    expect(await state.secrets.readValue(at('a/b'), 2)).toBe('{"n":2}');
    expect(await state.secrets.readValue(at('a/b'), 3)).toBeUndefined();
    expect(await state.secrets.readValue(at('a'), 1)).toBeUndefined();
  });

  it('refuses a write by whoever has not seen the last one', async () => {
    const { state } = enter();
    const seen = await put('a', ['1']);
    const metadata = { record: recordOf(1), change: change('metadata') };
    expect(await state.secrets.write(at('a'), seen, metadata)).toBe(true);
    expect(await state.secrets.write(at('a'), seen, { ...metadata, newValue: '2' })).toBe(false);
    expect(await state.secrets.write(at('a'), undefined, { ...metadata, newValue: '2' })).toBe(false);
    expect(await state.secrets.read(at('a'))).toMatchObject({ currentValue: '1', lastChange: { sequence: 2 } });
    expect(await state.secrets.readValue(at('a'), 1)).toBe('1');
  });

  it('forgets values in the write that forgets their versions', async () => {
    const { state } = enter();
    const before = await put('a', ['1', '2', '3']);
    const record = { ...recordOf(3), versions: recordOf(3).versions.slice(1) };
    await state.secrets.write(at('a'), before, { record, change: change('destroy'), forget: [1, 3] });
    expect((await rows('a')).map(({ row }) => row)).toEqual(['head', 'value|0000000002']);
    const after = await state.secrets.read(at('a'));
    expect(after?.record).toEqual(record);
    expect(after?.currentValue).toBeUndefined();
  });

  it('writes no value where only metadata changes', async () => {
    const { state } = enter();
    const before = await put('a', ['1', '2']);
    const values = async () => (await rows('a')).filter(({ row }) => row !== 'head').map(({ etag }) => etag);
    const etags = await values();
    expect(await state.secrets.write(at('a'), before, { record: recordOf(2), change: change('metadata') })).toBe(true);
    expect(await values()).toEqual(etags);
    expect((await state.secrets.read(at('a')))?.currentValue).toBe('2');
  });

  it('leaves the note of its removal, and goes on counting changes from there', async () => {
    const { state } = enter();
    const before = await put('a', ['1', '2']);
    const removal = { record: undefined, change: change('metadata-delete'), forget: [1, 2] };
    expect(await state.secrets.write(at('a'), before, removal)).toBe(true);
    expect(await rows('a')).toHaveLength(1);
    const left = await state.secrets.read(at('a'));
    expect(left).toMatchObject({ lastChange: { kind: 'metadata-delete', sequence: 3 } });
    expect(left).not.toHaveProperty('record');
    expect(await put('a', ['1'])).toMatchObject({ currentValue: '1', lastChange: { sequence: 4 } });
  });

  it('forgets as many values as fit into one write', async () => {
    const { state } = enter();
    const before = await put(
      'a',
      Array.from({ length: mostForgottenAtOnce }, (_, index) => String(index)),
    );
    const forget = before.record?.versions.map(({ version }) => version) ?? [];
    expect(forget).toHaveLength(98);
    const record = { ...recordOf(99), versions: recordOf(99).versions.slice(-1) };
    const write = { record, change: change('version'), newValue: 'new', forget };
    expect(await state.secrets.write(at('a'), before, write)).toBe(true);
    expect((await rows('a')).map(({ row }) => row)).toEqual(['head', 'value|0000000099']);
  });

  it('holds the largest value beside the largest record', async () => {
    const { state } = enter();
    const record: SecretRecord = {
      ...recordOf(2000),
      versions: recordOf(2000).versions.map((version) => ({ ...version, version: version.version + 4_000_000_000 })),
      currentVersion: 4_000_002_000,
      customMetadata: Object.fromEntries(
        Array.from({ length: 64 }, (_, index) => [
          `${String(index).padStart(2, '0')}${'"'.repeat(126)}`,
          '"'.repeat(512),
        ]),
      ),
    };
    const newValue = JSON.stringify({ x: 'v'.repeat(512 * 1024 - 8) });
    expect(Buffer.byteLength(newValue)).toBe(512 * 1024);
    const write = { record, change: change('version'), newValue };
    expect(await state.secrets.write(at('a'), undefined, write)).toBe(true);
    expect(await state.secrets.read(at('a'))).toMatchObject({ record, currentValue: newValue });
    for (const { properties } of await rows('a')) expect(sizeOf(properties)).toBeLessThan(0.9 * 1024 * 1024);
  });

  it('seals all but what says when it changed', async () => {
    enter();
    await put('a', [`{"password":"${secretValue}"}`, `{"password":"${secretValue}!"}`]);
    await house.secrets.writeMetadata(at('a'), { customMetadata: { owner: secretValue } });
    const stored = await rows('a');
    expect(stored).toHaveLength(3);
    for (const { properties } of stored) {
      for (const property of Object.values(properties)) {
        const bytes = property instanceof Uint8Array ? Buffer.from(property) : Buffer.from(String(property));
        for (const encoding of ['utf8', 'utf16le'] as const) {
          expect(bytes.includes(Buffer.from(secretValue, encoding))).toBe(false);
        }
        expect(bytes.includes(Buffer.from(secretValue).toString('base64').slice(0, 20))).toBe(false);
        expect(bytes.includes(Buffer.from('password'))).toBe(false);
      }
    }
  });

  it.each([
    ['another version', 'a', 'value|0000000002', 'a', 'value|0000000001'],
    ['another secret', 'a', 'value|0000000001', 'b', 'value|0000000001'],
    ['another head', 'a', 'head', 'b', 'head'],
  ])('does not open in the place of %s', async (_what, fromPath, fromRow, toPath, toRow) => {
    const { state } = enter();
    await put('a', ['a1', 'a2']);
    await put('b', ['b1', 'b2']);
    const table = world.openTable('secrets');
    const stolen = await table.get(partition(fromPath), fromRow);
    await table.transact(partition(toPath), [{ kind: 'upsert', row: toRow, properties: stolen?.properties ?? {} }]);
    const opened = toRow === 'head' ? state.secrets.read(at(toPath)) : state.secrets.readValue(at(toPath), 1);
    await expect(opened).rejects.toMatchObject({ code: 'internal' });
    await expect(opened).rejects.not.toThrow(/a1|a2|b1|b2/);
  });

  it('changes one field of the configuration and not the others, whoever writes at once', async () => {
    const { state } = enter();
    expect(await state.secrets.readConfig(mount)).toEqual({
      maxVersions: 0,
      casRequired: false,
      deleteVersionAfterSeconds: 0,
    });
    await Promise.all([
      state.secrets.changeConfig(mount, { maxVersions: 5 }),
      state.secrets.changeConfig(mount, { casRequired: true }),
      state.secrets.changeConfig(mount, { deleteVersionAfterSeconds: 9_223_372_036 }),
    ]);
    expect(await state.secrets.readConfig(mount)).toEqual({
      maxVersions: 5,
      casRequired: true,
      deleteVersionAfterSeconds: 9_223_372_036,
    });
    expect(await state.secrets.readConfig('another')).toMatchObject({ maxVersions: 0 });
  });

  it('reminds in the order of times, of what is due and of nothing else', async () => {
    const { reminders } = enter().state;
    const times = [5, -1, 0, 10_000_000_000];
    for (const seconds of times) await reminders.put(at(`after ${seconds}/it's`), later(seconds));
    const twice = await reminders.put(at("after 0/it's"), later(0));
    const due = await reminders.due(start);
    expect(due.map(({ reference, time }) => [reference.path, time])).toEqual([
      ["after -1/it's", later(-1)],
      ["after 0/it's", start],
      ["after 0/it's", start],
    ]);
    await reminders.remove(twice);
    await reminders.remove(twice);
    expect((await reminders.due(start)).map(({ id }) => id)).toEqual(
      due.map((reminder) => reminder.id).filter((other) => other !== twice.id),
    );
    expect(await reminders.due(later(9_999_999_999))).toHaveLength(3);
  });
});

/** As Table Storage counts an entity: two bytes a character of names and texts. */
function sizeOf(properties: Entity['properties']): number {
  return Object.entries(properties).reduce(
    (sum, [name, value]) =>
      sum + 8 + name.length * 2 + (value instanceof Uint8Array ? value.length + 4 : String(value).length * 2 + 4),
    4,
  );
}
