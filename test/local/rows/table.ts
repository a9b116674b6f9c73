import type { Part, Row } from './rows.ts';
import type { Tests } from './tests.ts';

export interface CoverageTable {
  /** Markdown. */
  text: string;
  /** `<row>: <test>` for each test that rows name and that there isn't. */
  missing: readonly string[];
}

/** Writes rows, the tests that prove them, and why some have none. */
export function renderTable(parts: readonly Part[], tests: Tests): CoverageTable {
  const missing: string[] = [];
  const all = parts.flatMap(({ sections }) => sections.flatMap(({ rows }) => rows));
  const notDone = all.filter((row) => row.notDone !== undefined);
  const lines = [
    '# What the stand-ins are held to',
    '',
    '`npm run coverage-table` writes this page from `test/local/rows/*.json`; a test fails when it is stale, or when a test',
    'that it names is gone. A test proves its row on the stand-in, through the real client where there is one: that the row is true',
    'of Azure rests on recordings, documentation and observation. Tests are named after their folder below `test/local/`.',
    '',
    `${all.length} rows, ${notDone.length} of them not done.`,
  ];
  for (const { title, sections } of parts) {
    lines.push('', `## ${title}`);
    for (const { id, title: subtitle, rows } of sections) {
      lines.push('', `### ${id} ${subtitle}`, '', '| Row | What | Proven by |', '| --- | --- | --- |');
      for (const row of rows) lines.push(`| ${row.id} | ${cell(row.fact)} | ${proofs(row, tests, missing)} |`);
    }
  }
  lines.push('', '## Not done', '', '| Row | What | Why |', '| --- | --- | --- |');
  for (const { id, fact, notDone: why = '' } of notDone) lines.push(`| ${id} | ${cell(fact)} | ${cell(why)} |`);
  return { text: `${lines.join('\n')}\n`, missing };
}

function proofs({ id, tests: references = [], notDone }: Row, tests: Tests, missing: string[]): string {
  if (notDone !== undefined) return `_not done: ${cell(notDone)}_`;
  return references
    .map((reference) => {
      if (!tests.has(reference)) missing.push(`${id}: ${reference}`);
      return cell(reference);
    })
    .join('<br>');
}

/** Names of tests may hold what means something in a table. */
const cell = (text: string): string => text.replaceAll(/[\\`*_|<>[\]$~]/g, '\\$&');
