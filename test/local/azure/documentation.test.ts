import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AzureDescription } from '../../../src/local/azure/description.ts';
import { resolveDescription } from '../../../src/local/azure/resolve.ts';

const project = fileURLToPath(new URL('../../../', import.meta.url));
const page = await readFile(join(project, 'docs/local-azure.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, text = '']) => text);

// In the project, so that packages are found; not under version control.
const snippets = join(project, '.keyfleet', `snippets-${process.pid}`);
let appDirectory: string;

beforeAll(async () => {
  await mkdir(snippets, { recursive: true });
  appDirectory = await mkdtemp(join(tmpdir(), 'keyfleet-app-'));
  await symlink(join(project, 'node_modules'), join(appDirectory, 'node_modules'));
  const files = {
    'package.json': JSON.stringify({ type: 'module', main: 'main.js' }),
    'host.json': JSON.stringify({ version: '2.0' }),
    'main.js':
      "import { app } from '@azure/functions';\n" +
      "app.http('greeting', { handler: async () => ({ body: process.env.GREETING }) });\n",
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(appDirectory, name), text);
});
afterAll(async () => {
  await rm(snippets, { recursive: true });
  await rm(appDirectory, { recursive: true });
});

test('the description of the page describes an Azure', () => {
  const [description = ''] = blocks('json');
  const { vaults, queues } = resolveDescription(JSON.parse(description) as AzureDescription);
  expect([vaults.length, queues.length]).toEqual([2, 1]);
});

test('the page has the snippets that are run below', () => expect(blocks('js')).toHaveLength(4));

test.each(blocks('js').map((text, index) => ({ number: index + 1, text })))(
  'snippet $number of the page prints what it says',
  async ({ number, text }) => {
    const file = join(snippets, `${number}.mjs`);
    await writeFile(file, text.replaceAll("'./src/", "'../../src/"));
    const { stdout } = await promisify(execFile)(process.execPath, [file], {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, APP_DIRECTORY: appDirectory },
    });
    const expected = [...text.matchAll(/\/\/ -> (.*)$/gm)].map(([, line]) => line);
    expect(expected.length).toBeGreaterThan(0);
    expect(stdout.trimEnd().split('\n')).toEqual(expected);
  },
);
