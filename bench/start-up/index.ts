import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { startFunctionsHost, type FunctionsHost } from '../../src/local/functions-host/index.ts';
import { startPlatform, type Platform } from '../../src/local/platform/index.ts';
import { seedRootToken } from '../../src/local/seed.ts';
import type { Benchmark, Figure } from '../harness/benchmark.ts';
import { figure, ratio } from '../harness/figures.ts';
import { printErrors } from '../harness/host-log.ts';
import { interleave } from '../harness/interleave.ts';
import { createVaultClient } from '../harness/vault-client.ts';
import { buildScripts, type Scripts } from './scripts.ts';

const processPairs = 15;
const hostPairs = 5;
const projectDirectory = join(import.meta.dirname, '../..');
const bundle = join(projectDirectory, 'dist/index.js');

/** Enough for the app to start; loading makes no request. */
const settings = {
  KEYFLEET_TABLES_ENDPOINT: 'https://localhost/tables',
  KEYFLEET_HOME_VAULT_URI: 'https://localhost/vault',
  ServiceBus__fullyQualifiedNamespace: 'localhost',
};

/** How long it takes until the service is there. */
export const startUp: Benchmark = {
  name: 'start-up',
  measures: 'loading the bundle, against an empty script; the host until it answers, against an app of one function',
  async run({ progress }) {
    await using scripts = await buildScripts(projectDirectory);
    return [
      ...(await measureSize()),
      ...(await measureLoading(scripts, progress)),
      ...(await measureHost(scripts, progress)),
    ];
  },
};

async function measureSize(): Promise<Figure[]> {
  const contents = await readFile(bundle);
  return [
    figure('bundle', 'KiB', [contents.length / 1024], { atMost: 3 * 1024 }),
    figure('bundle, gzip', 'KiB', [gzipSync(contents).length / 1024], { atMost: 500 }),
  ];
}

async function measureLoading({ empty, loadBundle }: Scripts, progress: (line: string) => void): Promise<Figure[]> {
  await runProcess([loadBundle, bundle]);
  const times = await interleave(processPairs, {
    empty: () => timed(() => runProcess([empty])),
    loaded: () => timed(() => runProcess([loadBundle, bundle])),
  });
  progress(`${processPairs} pairs of processes`);
  return [
    ratio('whole process, bundle / empty script', times.loaded, times.empty),
    figure('whole process, empty script', 'ms', times.empty),
    figure('whole process, bundle', 'ms', times.loaded),
    figure(
      'above the empty script',
      'ms',
      times.loaded.map((milliseconds, pair) => milliseconds - (times.empty[pair] ?? NaN)),
    ),
  ];
}

async function measureHost({ oneFunctionApp }: Scripts, progress: (line: string) => void): Promise<Figure[]> {
  await using stack = new AsyncDisposableStack();
  const platform = await startPlatform({ seed: seedRootToken });
  stack.defer(() => platform.stop());
  const startOther = () =>
    startFunctionsHost({ directory: oneFunctionApp, settings: platform.settings, port: 0, log: printErrors });
  const times = await interleave(
    hostPairs,
    {
      keyfleet: () => timeFirstAnswer(platform, 'sys/seal-status', () => platform.startHost({ log: printErrors })),
      withState: () => timeFirstAnswer(platform, 'sys/mounts', () => platform.startHost({ log: printErrors })),
      oneFunction: () => timeFirstAnswer(platform, 'anything', startOther),
    },
    progress,
  );
  return [
    ratio('host to first 200, service / app of one function', times.keyfleet, times.oneFunction),
    figure('host to first 200, app of one function', 'ms', times.oneFunction),
    figure('host to first 200, service', 'ms', times.keyfleet),
    figure('host to first 200 that needs state, service', 'ms', times.withState),
  ];
}

/** From the start of the host to the end of the first request's answer. */
async function timeFirstAnswer(
  { rootToken }: Platform,
  path: string,
  start: () => Promise<FunctionsHost>,
): Promise<number> {
  const startTime = performance.now();
  const host = await start();
  try {
    await createVaultClient(host.url, rootToken).call('GET', path);
    return performance.now() - startTime;
  } finally {
    await host.stop();
  }
}

/** @throws Error if the process fails, or writes anything: an app that lacks a setting only complains */
async function runProcess(parameters: readonly string[]): Promise<void> {
  const environment = { PATH: process.env.PATH, HOME: process.env.HOME, ...settings };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, parameters, { env: environment });
  if (stdout !== '' || stderr !== '') throw new Error(`${parameters.join(' ')} wrote: ${stdout}${stderr}`);
}

async function timed(run: () => Promise<void>): Promise<number> {
  const startTime = performance.now();
  await run();
  return performance.now() - startTime;
}
