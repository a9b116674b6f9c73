/** Answers every request, once its body was read, with what it was given: the least that an HTTP service does. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const [text = ''] = process.argv.slice(2);
const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) };
const server = createServer((request, response) => {
  request.resume().on('end', () => response.writeHead(200, headers).end(text));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.on('message', () => undefined);
process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
