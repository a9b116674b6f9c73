import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../faults.ts';

export interface Reply {
  status: number;
  body?: object | undefined;
  headers?: Record<string, string>;
}

/** Thrown to close the connection without an answer. */
export class ConnectionDropped extends Error {
  override readonly name = 'ConnectionDropped';
}

const bodyLimitBytes = 1_048_576;

/** @returns a listener that answers with the JSON that `handle` returns; what it throws becomes an empty 500. */
export function jsonListener(handle: (request: IncomingMessage, body: string) => Promise<Reply>): RequestListener {
  return (request, response) => {
    readBody(request)
      .then((body) => handle(request, body))
      .then((reply) => send(response, reply))
      .catch((error: unknown) => {
        if (error instanceof ConnectionDropped) request.socket.destroy();
        else send(response, { status: 500 });
      });
  };
}

/**
 * Does what a fault says to an operation that answers over HTTP.
 * @param describe makes the body of an answer that is the fault's own
 */
export async function withFault(
  fault: Fault | undefined,
  operation: () => Promise<Reply>,
  describe: (status: number, fault: Fault) => object,
): Promise<Reply> {
  switch (fault?.kind) {
    case undefined:
      return operation();
    case 'refuse': {
      const status = fault.status ?? 503;
      return { status, body: describe(status, fault) };
    }
    case 'throttle': {
      const { retryAfterSeconds } = fault;
      const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
      return { status: 429, body: describe(429, fault), headers };
    }
    case 'fail-after-effect': {
      await operation();
      const status = fault.status ?? 500;
      return { status, body: describe(status, fault) };
    }
    case 'drop-reply':
      await operation();
      throw new ConnectionDropped();
    case 'reset':
      throw new ConnectionDropped();
    case 'delay':
      await delay(fault.milliseconds);
      return operation();
    case 'twice':
      await operation();
      return operation();
  }
}

/** @returns the port. @throws if the port is taken */
export async function listenOnLoopback(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

export async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bodyLimitBytes) throw new ConnectionDropped();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, reply: Reply): void {
  const text = reply.body === undefined ? '' : JSON.stringify(reply.body);
  response.writeHead(reply.status, {
    'cache-control': 'no-store, no-cache',
    ...(text && { 'content-type': 'application/json; charset=utf-8' }),
    'content-length': String(Buffer.byteLength(text)),
    ...reply.headers,
  });
  response.end(text);
}
