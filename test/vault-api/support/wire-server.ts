import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { VaultRequest, VaultResponse } from '../../../src/vault-api/protocol.ts';

export interface WireServer extends AsyncDisposable {
  url: string;
  /** Method, target and body of every request, in order. */
  requests: { method: string; target: string; headers: Map<string, string>; body: string }[];
}

/**
 * Serves one request per connection over HTTP/1.1, any verb included: Node's own server refuses LIST before anybody
 * sees it. Requests reach the handler as the Functions host would hand them over.
 */
export async function startWireServer(handle: (request: VaultRequest) => Promise<VaultResponse>): Promise<WireServer> {
  const requests: WireServer['requests'] = [];
  const sockets = new Set<Socket>();

  async function serve(socket: Socket): Promise<void> {
    const { head, body } = await readRequest(socket);
    const [requestLine = '', ...lines] = head.split('\r\n');
    const [method = '', target = ''] = requestLine.split(' ');
    const headers = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    requests.push({ method, target, headers, body: body.toString() });
    const response = await handle({
      method,
      url: `http://${headers.get('host') ?? ''}${target}`,
      pathParameter: decodeURIComponent((target.split('?', 1)[0] ?? '').slice(1)),
      headers: { get: (name) => headers.get(name.toLowerCase()) ?? null },
      body: body.length === 0 ? null : body,
    });
    const answer = Buffer.from(response.body ?? '');
    const answerHeaders = { ...response.headers, 'Content-Length': String(answer.length), Connection: 'close' };
    const answerLines = Object.entries(answerHeaders).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`HTTP/1.1 ${response.status} Status\r\n${answerLines.join('')}\r\n`);
    socket.end(method === 'HEAD' ? Buffer.alloc(0) : answer);
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(socket).catch((error: unknown) => socket.destroy(error as Error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

async function readRequest(socket: Socket): Promise<{ head: string; body: Buffer }> {
  let received = Buffer.alloc(0);
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    received = Buffer.concat([received, chunk]);
    const end = received.indexOf('\r\n\r\n');
    if (end < 0) continue;
    const head = received.toString('latin1', 0, end);
    const length = Number(/^content-length: *(\d+)$/im.exec(head)?.[1] ?? 0);
    const body = received.subarray(end + 4);
    if (body.length >= length) return { head, body };
  }
  throw new Error('connection closed before the request was complete');
}
