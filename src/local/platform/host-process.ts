import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LogLine, LogSink } from '../functions-host/index.ts';
import type { Platform } from './index.ts';

export interface HostProcessOptions {
  /** Added to the platform's settings, or replacing some. */
  settings?: Readonly<Record<string, string>>;
  /** Opens the admin endpoints. */
  masterKey?: string;
  /** As the host has it; true unless given. */
  timersBySchedule?: boolean;
  /** Modules (absolute paths) that the host's process and the app's import before anything else. */
  preload?: readonly string[];
  /** Arguments for Node in the host's process, e.g. `--cpu-prof`. */
  nodeArguments?: readonly string[];
  /** Is told warnings and worse. */
  log?: LogSink;
}

/** A Functions host with its worker in a process group of their own. */
export interface HostProcess {
  readonly url: string;
  /** Of the group, and of the host in it. */
  readonly processId: number;
  readonly isRunning: boolean;
  /** SIGKILL for host and worker at once: nothing they were doing is finished, their connections break off. */
  kill(): Promise<void>;
  /** As the host stops: running work may finish. */
  stop(): Promise<void>;
}

/** What the child is told on its command line, as JSON. */
export type HostProcessParameters = Pick<HostProcessOptions, 'masterKey' | 'timersBySchedule' | 'preload'>;

export type HostProcessMessage = { kind: 'started'; url: string } | { kind: 'log'; line: LogLine };

const namesPreload = fileURLToPath(new URL('../loopback-names-preload.ts', import.meta.url));
const entry = fileURLToPath(new URL('host-process-entry.ts', import.meta.url));

/**
 * Runs the app as it was last built on a platform of this process. Needs an operating system with process groups. The
 * group ends with this process, however that ends.
 * @throws Error if the process ends before the host is ready
 */
export async function startHostProcess(platform: Platform, options: HostProcessOptions = {}): Promise<HostProcess> {
  const { settings, masterKey, timersBySchedule, preload = [], nodeArguments = [], log } = options;
  const parameters: HostProcessParameters = {
    preload,
    ...(masterKey !== undefined && { masterKey }),
    ...(timersBySchedule !== undefined && { timersBySchedule }),
  };
  const { PATH = '', HOME = '' } = process.env;
  const child = fork(entry, [JSON.stringify(parameters)], {
    detached: true,
    env: { PATH, HOME, ...platform.settings, ...settings },
    execArgv: [...nodeArguments, ...[namesPreload, ...preload].flatMap((module) => ['--import', module])],
    serialization: 'advanced',
  });
  const exited = once(child, 'exit');
  const started = Promise.withResolvers<string>();
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  child.on('message', (message: HostProcessMessage) => {
    if (message.kind === 'started') started.resolve(message.url);
    else log?.(message.line);
  });
  const early = exited.then(() => Promise.reject(new Error('the host process ended before it was ready')));
  const url = await Promise.race([started.promise, early]);
  early.catch(() => undefined);

  return {
    url,
    processId: child.pid ?? 0,
    get isRunning() {
      return isRunning();
    },
    async kill() {
      if (isRunning()) process.kill(-(child.pid ?? 0), 'SIGKILL');
      await exited;
    },
    async stop() {
      if (child.connected) child.send('stop');
      await exited;
    },
  };
}
