import { once } from 'node:events';
import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Listener {
  readonly port: number;
  onRequest(handle: (request: IncomingMessage, response: ServerResponse) => void): void;
  /** Closes open connections too. */
  stop(): Promise<void>;
}

/** Longer than clients keep an idle connection: a server that closes first races with their next request. */
const keepAliveMilliseconds = 120_000;

/** @param port 0 for any that is free */
export async function listen(tls: { key: string; cert: string }, port: number): Promise<Listener> {
  const server = createServer({ key: tls.key, cert: tls.cert, keepAliveTimeout: keepAliveMilliseconds });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    onRequest: (handle) => void server.on('request', handle),
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
