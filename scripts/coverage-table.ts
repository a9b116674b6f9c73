/** Writes the page that says which tests prove what the stand-ins are held to. */
import { readFile, writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import { readRows } from '../test/local/rows/rows.ts';
import { renderTable } from '../test/local/rows/table.ts';
import { readTests } from '../test/local/rows/tests.ts';

const page = new URL('../docs/local-azure/coverage.md', import.meta.url);

const { text, missing } = renderTable(await readRows(), await readTests());
if (missing.length > 0) {
  process.stderr.write(`There are no such tests:\n  ${missing.join('\n  ')}\n`);
  process.exitCode = 1;
} else {
  const formatted = await format(text, { ...(await resolveConfig(page)), parser: 'markdown' });
  const before = await readFile(page, 'utf8').catch(() => '');
  await writeFile(page, formatted);
  console.log(
    before === formatted ? 'docs/local-azure/coverage.md is as it was' : 'docs/local-azure/coverage.md written',
  );
}
