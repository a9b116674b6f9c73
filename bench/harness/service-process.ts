import { fileURLToPath } from 'node:url';
import type { Platform } from '../../src/local/platform/index.ts';
import { startChild } from './child.ts';

/** What the service did once. */
export interface Run {
  seconds: number;
  /** What the process itself computed: the servers' share is not in there. */
  cpuSeconds: number;
  /** Requests to Table Storage, those that were repeated included. */
  tableRequests: number;
  /** Of the process, in MiB: the most it ever had, and what is left on the heap now that all garbage is gone. */
  mostMemory: number;
  heap: number;
}

/** The service's app in a process of its own, called as its triggers call it: no host, and no messages taken. */
export interface ServiceProcess {
  /** Looks through a provider's vault, as a message of the queue has it done. */
  check(reference: { mount: string; provider: string }): Promise<Run>;
  /** What the timer has done. */
  sweep(): Promise<Run>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export type Question = { kind: 'check'; mount: string; provider: string } | { kind: 'sweep' };
export type Answer = { run: Run } | { failure: string };

/** What Node allows itself on an instance with 2 GiB: on larger machines it lets more garbage lie. */
const heapLimits = ['--max-old-space-size=1024', '--max-semi-space-size=8'];

const namesPreload = fileURLToPath(new URL('../../src/local/loopback-names-preload.ts', import.meta.url));
const entry = fileURLToPath(new URL('service-process-entry.ts', import.meta.url));

/** @param changes added to the platform's settings, or replacing some */
export async function startServiceProcess(
  { settings }: Platform,
  changes: Readonly<Record<string, string>> = {},
): Promise<ServiceProcess> {
  const { PATH = '', HOME = '' } = process.env;
  const child = await startChild(entry, [], {
    env: { PATH, HOME, ...settings, ...changes },
    execArgv: [...heapLimits, '--expose-gc', '--import', namesPreload],
  });

  async function ask(question: Question): Promise<Run> {
    const answer = await child.ask<Answer>(JSON.stringify(question));
    if ('failure' in answer) throw new Error(`the service could not ${question.kind}: ${answer.failure}`);
    return answer.run;
  }

  return {
    check: (reference) => ask({ kind: 'check', ...reference }),
    sweep: () => ask({ kind: 'sweep' }),
    stop: () => child.stop(),
    [Symbol.asyncDispose]: () => child.stop(),
  };
}
