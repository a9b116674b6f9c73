import { readFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import { describe, expect, test } from 'vitest';
import { readRows } from './rows.ts';
import { renderTable } from './table.ts';
import { createTests, readTests } from './tests.ts';

const page = new URL('../../../docs/local-azure/coverage.md', import.meta.url);
const parts = await readRows();
const table = renderTable(parts, await readTests());

test('every test that a row names is there', () => expect(table.missing).toEqual([]));

test('the page in docs says what the rows say: npm run coverage-table writes it', async () => {
  const written = await format(table.text, { ...(await resolveConfig(page)), parser: 'markdown' });
  expect(await readFile(page, 'utf8')).toBe(written);
});

describe('a test is found', () => {
  const source = "test.each([['a broken key', 7]])('%s is answered %d', …)";
  const tests = createTests([
    { name: 'keys > are \\"listed\\"', file: 'vaults/keys.test.ts', source: '' },
    { name: 'keys > %s is answered %d', file: 'vaults/keys.test.ts', source },
  ]);

  test.each([
    ['vaults: keys > are "listed"', 'by its name', true],
    ['vaults: keys > %s is answered %d', 'by its name with placeholders', true],
    ['vaults: keys > a broken key is answered 7', 'by the name of one of its cases', true],
    ['vaults: keys > a whole key is answered 7', 'not by a case that its source does not have', false],
    ['queues: keys > are "listed"', 'not in another folder', false],
    ['vaults: keys > are listed', 'not by another name', false],
  ])('%s: %s', (reference, _how, expected) => {
    expect(tests.has(reference)).toBe(expected);
  });
});

test('a test that is gone is missed', () => {
  const row = { id: 'X-1.1', fact: 'f', tests: ['vaults: gone'] };
  const { missing } = renderTable(
    [{ title: 't', sections: [{ id: 'X-1', title: 't', rows: [row] }] }],
    createTests([]),
  );
  expect(missing).toEqual(['X-1.1: vaults: gone']);
});
