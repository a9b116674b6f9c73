import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createCertificates } from '../../src/local/certificates.ts';
import { azureTables } from '../../src/state/index.ts';
import { trust } from '../support/stand-ins.ts';

/* An insertion that the client repeats by itself, after somebody took the row, would bring the row back. */

let received: string[];
let url: string;
let stop: () => void;

beforeAll(async () => {
  const certificates = await createCertificates();
  trust(certificates);
  const { certificate: cert, privateKey: key } = certificates;
  const server = createServer({ cert, key }, (request, response) => {
    const { method = '', url: path = '' } = request;
    received.push(`${method} ${path}`);
    // The table is made; after that the reply to every change is lost.
    if (path.startsWith('/Tables')) response.writeHead(204).end();
    else request.on('end', () => request.socket.destroy()).resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `https://localhost:${(server.address() as AddressInfo).port}`;
  stop = () => {
    server.closeAllConnections();
    server.close();
  };
});

afterAll(() => stop());

it('a table that is to send requests once does so, whatever becomes of the reply', async () => {
  received = [];
  const credential = { getToken: async () => ({ token: 'any', expiresOnTimestamp: Date.now() + 3_600_000 }) };
  const openTable = azureTables({ endpoint: url, credential });
  const table = openTable('keypairs', { onlyOnce: true });
  await expect(table.transact('p', [{ kind: 'insert', row: 'r', properties: {} }])).rejects.toMatchObject({
    code: 'unavailable',
  });
  await expect(table.remove('p', 'r', '*')).rejects.toMatchObject({ code: 'unavailable' });
  expect(received.filter((request) => !request.includes('/Tables'))).toEqual([
    'POST /$batch',
    expect.stringMatching(/^DELETE /),
  ]);
});
