import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Certificates } from './certificates.ts';

export interface TablesStandIn {
  /** `https://localhost:<port>/devstoreaccount1`, for a table client with a token credential. */
  url: string;
  /** Writes everything acknowledged so far to disk. Without a directory there is nothing to do. */
  flush(): Promise<void>;
  /** Closes the server; with a directory, after everything was written. */
  stop(): Promise<void>;
}

/** What the thread is told first. */
export interface TablesSettings {
  certificate: string;
  privateKey: string;
  port: number;
  databaseFile?: string | undefined;
}

export type TablesRequest = 'flush' | 'stop';
export type TablesReply = { port: number } | { done: TablesRequest } | { failure: string };

/**
 * Table Storage on loopback: Azurite's table server, with TLS and Entra tokens. It looks at a token's issuer, audience
 * and times, not at its signature. Runs in a thread of its own: loading it takes long enough to hold up everything else.
 * @param options.tls may be on its way still: loading goes on meanwhile
 * @param options.directory where `tables.json` is kept; absent: in memory
 * @param options.port 0 or absent picks a free one
 * @throws if the port is taken
 */
export async function startTables(options: {
  tls: Certificates | Promise<Certificates>;
  directory?: string | undefined;
  port?: number | undefined;
}): Promise<TablesStandIn> {
  const { directory, port = 0 } = options;
  const thread = new Worker(new URL('./tables-thread.ts', import.meta.url), { execArgv: [] });
  const tls = await Promise.resolve(options.tls).catch(async (error: unknown) => {
    await thread.terminate();
    throw error;
  });
  const settings: TablesSettings = {
    certificate: tls.certificate,
    privateKey: tls.privateKey,
    port,
    databaseFile: directory && join(directory, 'tables.json'),
  };
  thread.postMessage(settings);
  let previous: Promise<void> = Promise.resolve();
  const started = await next();
  if (!('port' in started)) throw new Error('the table server answered before it started');

  return {
    url: `https://localhost:${started.port}/devstoreaccount1`,
    flush: () => ask('flush'),
    async stop() {
      await ask('stop');
      await thread.terminate();
    },
  };

  /** One at a time, so that each answer belongs to the request before it. */
  async function ask(request: TablesRequest): Promise<void> {
    const turn = previous.then(async () => {
      const answer = next();
      thread.postMessage(request);
      await answer;
    });
    previous = turn.catch(() => undefined);
    await turn;
  }

  async function next(): Promise<TablesReply> {
    const [reply] = (await once(thread, 'message')) as [TablesReply];
    if ('failure' in reply) {
      await thread.terminate();
      throw new Error(`Table Storage: ${reply.failure}`);
    }
    return reply;
  }
}
