import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';
import {
  type FunctionsHost,
  type FunctionsHostOptions,
  type LogLine,
  startFunctionsHost,
} from '../../../../src/local/functions-host/index.ts';

const apps = path.resolve(import.meta.dirname, '../apps');
const nodeModules = path.resolve(import.meta.dirname, '../../../../node_modules');

const cleanups: (() => Promise<unknown>)[] = [];

// Last in, first out: a host stops before its folder goes.
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

export interface AppOptions {
  /** A file of apps/, by name. */
  app?: string;
  /** Files of the app's own, by path. */
  files?: Record<string, string>;
  /** Of package.json; the app's file unless given. */
  main?: string;
  packageType?: 'module' | 'commonjs';
  /** Of host.json, beside an empty route prefix. */
  http?: object;
  hostJson?: object;
  host?: Partial<FunctionsHostOptions>;
}

export interface RunningApp {
  host: FunctionsHost;
  lines: LogLine[];
  /** Messages of one category, in order. */
  messages(category: string): string[];
  /** Resolves with the first line for which `test` holds. */
  line(test: (line: LogLine) => boolean): Promise<LogLine>;
}

/** Writes an app's root to a folder of its own that goes away with the tests of the file. */
export async function prepareApp({
  app,
  files = {},
  main,
  packageType = 'module',
  http,
  hostJson,
}: AppOptions): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'functions-host-'));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  const extensions = { http: { routePrefix: '', ...http } };
  const contents: Record<string, string> = {
    'package.json': JSON.stringify({ type: packageType, main: main ?? (app ? `${app}.ts` : Object.keys(files)[0]) }),
    'host.json': JSON.stringify({ version: '2.0', extensions, ...hostJson }),
    ...files,
  };
  await symlink(nodeModules, path.join(directory, 'node_modules'));
  if (app) await symlink(path.join(apps, `${app}.ts`), path.join(directory, `${app}.ts`));
  for (const [name, content] of Object.entries(contents)) await writeFile(path.join(directory, name), content);
  return directory;
}

/** Starts a host for an app and stops it when the tests of the file are done. */
export async function startApp(options: AppOptions): Promise<RunningApp> {
  const directory = await prepareApp(options);
  const lines: LogLine[] = [];
  const watchers = new Set<() => void>();
  const host = await startFunctionsHost({
    directory,
    settings: {},
    port: 0,
    log: (line) => {
      lines.push(line);
      for (const watch of watchers) watch();
    },
    ...options.host,
  });
  cleanups.push(() => host.stop());
  return {
    host,
    lines,
    messages: (category) => lines.filter((line) => line.category === category).map(({ message }) => message),
    line: (test) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`no such line in:\n${JSON.stringify(lines, null, 1)}`)),
          10_000,
        );
        const watch = (): void => {
          const found = lines.find(test);
          if (!found) return;
          clearTimeout(timer);
          watchers.delete(watch);
          resolve(found);
        };
        watchers.add(watch);
        watch();
      }),
  };
}
