import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Finds the tests that rows name. */
export interface Tests {
  /** @param reference `<folder below test/local>: <full name>`: tests may move from file to file within their folder */
  has(reference: string): boolean;
}

interface ListedTest {
  name: string;
  file: string;
}

const project = fileURLToPath(new URL('../../../', import.meta.url));
const directory = join(project, 'test/local/');

/** Reads the names of all tests of the stand-ins, without running any. */
export async function readTests(): Promise<Tests> {
  const listed = await list();
  const sources = new Map<string, string>();
  for (const { file } of listed) if (!sources.has(file)) sources.set(file, await readFile(file, 'utf8'));
  return createTests(
    listed.map(({ name, file }) => ({ name, file: file.slice(directory.length), source: sources.get(file) ?? '' })),
  );
}

/** @param listed names as in the source, with `%s` and the like where cases differ; paths below `test/local` */
export function createTests(listed: readonly (ListedTest & { source: string })[]): Tests {
  return {
    has(reference) {
      const separator = reference.indexOf(': ');
      const folder = reference.slice(0, separator);
      const wanted = reference.slice(separator + 2);
      const candidates = listed.filter(({ file }) => file.startsWith(`${folder}/`));
      return candidates.some(({ name, source }) => plain(name) === wanted || isCase(wanted, plain(name), source));
    },
  };
}

/** Names are listed as their source has them, escapes included. */
const plain = (name: string): string => name.replaceAll(/\\(["'`])/g, '$1');

const placeholder = /%[sdifjoO]|\$[\w.]+/;

/** Whether `wanted` is what a name becomes with values that the test's source holds. */
function isCase(wanted: string, name: string, source: string): boolean {
  const pieces = name.split(new RegExp(placeholder, 'g'));
  if (pieces.length === 1) return false;
  const pattern = pieces.map((piece) => piece.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('(.*)');
  const values = new RegExp(`^${pattern}$`, 's').exec(wanted)?.slice(1);
  return values?.every((value) => value.split(/[^\w-]+/).every((word) => source.includes(word))) ?? false;
}

async function list(): Promise<ListedTest[]> {
  const folder = await mkdtemp(join(tmpdir(), 'keyfleet-tests-'));
  try {
    const output = join(folder, 'tests.json');
    const vitest = join(project, 'node_modules/vitest/vitest.mjs');
    // Within a test, vitest's own variables are those of the worker that runs it.
    const { PATH, HOME } = process.env;
    await promisify(execFile)(process.execPath, [vitest, 'list', `--json=${output}`, 'test/local'], {
      cwd: project,
      env: { PATH, HOME },
    });
    return JSON.parse(await readFile(output, 'utf8')) as ListedTest[];
  } finally {
    await rm(folder, { recursive: true });
  }
}
