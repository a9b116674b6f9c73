import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** A request and the JSON that the target answered it with. */
export interface Exchange {
  method: string;
  /** Without the query. */
  path: string;
  body: Record<string, unknown>;
}

export interface AlteringProxyOptions {
  target: string;
  /** PEM. Absent: http. */
  tls?: { key: string; cert: string };
  /** @returns what the client gets as the answer's body */
  alter: (exchange: Exchange) => Record<string, unknown>;
}

export interface AlteringProxy {
  url: string;
  stop: () => Promise<void>;
}

const notPassedOn = ['host', 'connection', 'content-length', 'content-encoding', 'transfer-encoding', 'keep-alive'];

/** Stands in front of an API and lies about what it answers. */
export async function startAlteringProxy({ target, tls, alter }: AlteringProxyOptions): Promise<AlteringProxy> {
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    forward(request, response).catch((error: unknown) => response.destroy(error as Error));
  };
  const server = tls ? createHttpsServer(tls, serve) : createHttpServer(serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const body = await buffer(request);
    const passedOn = Object.entries(headers).filter(([name]) => !notPassedOn.includes(name));
    const reply = await fetch(target + url, {
      method,
      headers: passedOn as [string, string][],
      ...(body.length > 0 && { body: new Uint8Array(body) }),
    });
    const text = await reply.text();
    const path = new URL(url, target).pathname;
    const sent = text.startsWith('{')
      ? JSON.stringify(alter({ method, path, body: JSON.parse(text) as Exchange['body'] }))
      : text;
    response.writeHead(reply.status, [...reply.headers].filter(([name]) => !notPassedOn.includes(name)).flat());
    response.end(sent);
  }

  return {
    url: `${tls ? 'https://localhost' : 'http://127.0.0.1'}:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
