import { describe, expect, it } from 'vitest';
import { maxActions, startingWith, type RowRange } from '../../src/state/table.ts';
import { createMemoryTable } from '../support/memory-table.ts';
import { useTableStorage } from '../support/table-storage.ts';

const openTable = useTableStorage();

describe.each([
  ['Table Storage', openTable],
  ['the twin in memory', () => createMemoryTable()],
])('%s', (_name, open) => {
  let count = 0;
  const newTable = () => open(`contract${++count}`);

  it('answers undefined and nothing for what was never written', async () => {
    const table = newTable();
    expect(await table.get('p', 'r')).toBeUndefined();
    expect(await table.query('p')).toEqual([]);
  });

  it('keeps every type of property', async () => {
    const table = newTable();
    const properties = {
      text: 'a "quoted" text, ünïcode',
      empty: '',
      number: -7,
      flag: false,
      time: new Date('2026-01-02T03:04:05.678Z'),
      bytes: new Uint8Array([0, 255, 1]),
    };
    await table.transact('p', [{ kind: 'insert', row: 'r', properties }]);
    const read = await table.get('p', 'r');
    expect({ ...read?.properties, bytes: [...(read?.properties.bytes as Uint8Array)] }).toEqual({
      ...properties,
      bytes: [0, 255, 1],
    });
  });

  it('refuses to insert over an existing row', async () => {
    const table = newTable();
    expect(await table.transact('p', [{ kind: 'insert', row: 'r', properties: { n: 1 } }])).toBe(true);
    expect(await table.transact('p', [{ kind: 'insert', row: 'r', properties: { n: 2 } }])).toBe(false);
    expect((await table.get('p', 'r'))?.properties).toEqual({ n: 1 });
  });

  it('replaces whole entities, and only at the ETag that was read', async () => {
    const table = newTable();
    await table.transact('p', [{ kind: 'insert', row: 'r', properties: { a: 1, b: 2 } }]);
    const etag = (await table.get('p', 'r'))?.etag ?? '';
    expect(await table.transact('p', [{ kind: 'replace', row: 'r', etag, properties: { a: 3 } }])).toBe(true);
    expect(await table.transact('p', [{ kind: 'replace', row: 'r', etag, properties: { a: 4 } }])).toBe(false);
    expect((await table.get('p', 'r'))?.properties).toEqual({ a: 3 });
    expect(await table.transact('p', [{ kind: 'replace', row: 'gone', etag, properties: {} }])).toBe(false);
  });

  it('changes the ETag even where the content stays the same', async () => {
    const table = newTable();
    await table.transact('p', [{ kind: 'upsert', row: 'r', properties: { a: 1 } }]);
    const first = (await table.get('p', 'r'))?.etag;
    await table.transact('p', [{ kind: 'upsert', row: 'r', properties: { a: 1 } }]);
    expect((await table.get('p', 'r'))?.etag).not.toBe(first);
  });

  it('touches a row: another ETag, the same content, and only if it exists', async () => {
    const table = newTable();
    await table.transact('p', [{ kind: 'insert', row: 'r', properties: { a: 1, b: 'x' } }]);
    const before = await table.get('p', 'r');
    expect(await table.transact('p', [{ kind: 'touch', row: 'r' }])).toBe(true);
    const after = await table.get('p', 'r');
    expect(after?.properties).toEqual(before?.properties);
    expect(after?.etag).not.toBe(before?.etag);
    expect(await table.transact('p', [{ kind: 'touch', row: 'missing' }])).toBe(false);
    expect(await table.get('p', 'missing')).toBeUndefined();
  });

  it('does all actions of a transaction or none', async () => {
    const table = newTable();
    await table.transact('p', [{ kind: 'insert', row: 'taken', properties: {} }]);
    const refused = await table.transact('p', [
      { kind: 'insert', row: 'new', properties: {} },
      { kind: 'remove', row: 'taken' },
      { kind: 'remove', row: 'missing' },
    ]);
    expect(refused).toBe(false);
    expect((await table.query('p')).map(({ row }) => row)).toEqual(['taken']);
  });

  it(`takes ${maxActions} actions at once`, async () => {
    const table = newTable();
    const rows = Array.from({ length: maxActions }, (_, index) => `row${String(index).padStart(3, '0')}`);
    expect(
      await table.transact(
        'p',
        rows.map((row) => ({ kind: 'insert', row, properties: {} })),
      ),
    ).toBe(true);
    expect((await table.query('p')).map(({ row }) => row)).toEqual(rows);
  });

  it('removes one row at the ETag that was read', async () => {
    const table = newTable();
    await table.transact('p', [{ kind: 'insert', row: 'r', properties: {} }]);
    const etag = (await table.get('p', 'r'))?.etag ?? '';
    await table.transact('p', [{ kind: 'upsert', row: 'r', properties: { touched: true } }]);
    expect(await table.remove('p', 'r', etag)).toBe(false);
    expect(await table.remove('p', 'r', (await table.get('p', 'r'))?.etag ?? '')).toBe(true);
    expect(await table.remove('p', 'r', etag)).toBe(false);
  });

  it('lists rows of one partition in ordinal order, and a range or a prefix of them', async () => {
    const table = newTable();
    const rows = ['Z', 'a', 'key', 'key|1', 'key|2', 'key~', 'placement|x', '~material'];
    await table.transact(
      'p',
      rows.map((row) => ({ kind: 'insert', row, properties: {} })),
    );
    await table.transact('q', [{ kind: 'insert', row: 'key|3', properties: {} }]);
    const list = async (range?: { from?: string; before?: string }) =>
      (await table.query('p', range)).map(({ row }) => row);
    expect(await list()).toEqual(rows);
    expect(await list({ before: '~' })).toEqual(rows.slice(0, -1));
    expect(await list(startingWith('key|'))).toEqual(['key|1', 'key|2']);
  });

  it('lists no more rows than asked for, the first ones', async () => {
    const table = newTable();
    await table.transact(
      'p',
      ['a', 'b', 'c', 'd'].map((row) => ({ kind: 'insert', row, properties: {} })),
    );
    const list = async (range: RowRange) => (await table.query('p', range)).map(({ row }) => row);
    expect(await list({ atMost: 1 })).toEqual(['a']);
    expect(await list({ from: 'b', atMost: 2 })).toEqual(['b', 'c']);
    expect(await list({ from: 'c', atMost: 5 })).toEqual(['c', 'd']);
    expect(await list({ from: 'x', atMost: 1 })).toEqual([]);
  });

  it('lists the keys of rows alone, of the same ranges', async () => {
    const table = newTable();
    expect(await table.queryRows('p')).toEqual([]);
    await table.transact(
      'p',
      ['c', 'a', 'd', 'b'].map((row) => ({ kind: 'insert', row, properties: { bytes: new Uint8Array(100) } })),
    );
    for (const range of [undefined, { atMost: 1 }, { from: 'b', atMost: 2 }, { from: 'b', before: 'd' }]) {
      expect(await table.queryRows('p', range)).toEqual((await table.query('p', range)).map(({ row }) => row));
    }
    expect(await table.queryRows('p')).toEqual(['a', 'b', 'c', 'd']);
    expect(await table.queryRows('q')).toEqual([]);
  });

  it('lists more than a thousand rows', async () => {
    const table = newTable();
    for (let chunk = 0; chunk < 11; chunk++) {
      const rows = Array.from({ length: 100 }, (_, index) => `r${String(chunk * 100 + index).padStart(5, '0')}`);
      await table.transact(
        'p',
        rows.map((row) => ({ kind: 'insert', row, properties: {} })),
      );
    }
    expect(await table.query('p')).toHaveLength(1100);
  });

  it('takes partition and row keys with a bar, a tilde, a plus and a quote', async () => {
    const table = newTable();
    await table.transact("p|~'", [{ kind: 'insert', row: "a|b+c'd", properties: {} }]);
    expect((await table.get("p|~'", "a|b+c'd"))?.row).toBe("a|b+c'd");
    expect(await table.query("p|~'")).toHaveLength(1);
  });
});
