import { build } from 'esbuild';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Plain JavaScript in a temporary directory: stripping types would be measured too. */
export interface Scripts {
  /** Does nothing. */
  empty: string;
  /** Loads the app whose entry file it is called with. */
  loadBundle: string;
  /** Root of an app with one function. */
  oneFunctionApp: string;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function buildScripts(projectDirectory: string): Promise<Scripts> {
  const directory = await mkdtemp(join(tmpdir(), 'keyfleet-bench-'));
  const empty = join(directory, 'empty.mjs');
  await writeFile(empty, '');
  await build({
    entryPoints: ['load-bundle', 'one-function-app'].map((name) => join(import.meta.dirname, `${name}.ts`)),
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['@azure/functions-core'],
    banner: {
      js: "import { createRequire as createRequireForBundle } from 'node:module'; const require = createRequireForBundle(import.meta.url);",
    },
    logLevel: 'warning',
  });
  await writeFile(join(directory, 'package.json'), JSON.stringify({ main: 'one-function-app.mjs' }));
  await copyFile(join(projectDirectory, 'host.json'), join(directory, 'host.json'));
  return {
    empty,
    loadBundle: join(directory, 'load-bundle.mjs'),
    oneFunctionApp: directory,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}
