import { fileURLToPath } from 'node:url';
import type { FunctionsHost, FunctionsHostOptions } from '../functions-host/index.ts';

const workerPreload = ['../loopback-names-preload.ts', './worker-preload.ts'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** Runs an app on the local Functions host, in a worker that knows the loopback names which its settings hold. */
export async function startAppHost({ preload = [], ...options }: FunctionsHostOptions): Promise<FunctionsHost> {
  const { startFunctionsHost } = await import('../functions-host/index.ts');
  return startFunctionsHost({ ...options, preload: [...workerPreload, ...preload] });
}
