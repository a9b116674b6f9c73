/**
 * Serves, each at a port of its own: a vault with one key, a queue, and what they are measured against: an HTTPS server
 * that answers everything with the same bytes, and an AMQP server that sends everything back.
 */
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import rhea, { type EventContext, type Sender } from 'rhea';
import { createCertificates } from '../../src/local/certificates.ts';
import { createFaults } from '../../src/local/faults.ts';
import { startKeyVault } from '../../src/local/key-vault/index.ts';
import { startServiceBus } from '../../src/local/service-bus/index.ts';
import { queueName, type StandInAddresses } from '../harness/stand-in-clients.ts';

export interface ThroughputAddresses extends StandInAddresses {
  plainUrl: string;
  echoPort: number;
}

const caller = {
  tenantId: 'cd4bf224-d114-4f96-9bbc-b8f45751c43f',
  clientId: '52d9c3d8-6c0f-4a2e-9a51-0b8f2f7d5d02',
  objectId: '0e4a7b90-3f1d-4c68-bd2e-7c1a5f9e3d02',
};

const { caCertificate, certificate, privateKey } = await createCertificates();
const tls = { key: privateKey, cert: certificate };
const common = { tls, verify: async () => caller, faults: createFaults(), now: () => new Date() };
const keyVault = await startKeyVault({
  ...common,
  vaults: [
    {
      name: 'measured',
      sku: 'premium',
      tenantId: caller.tenantId,
      access: { model: 'access-policy', grants: { [caller.objectId]: { keys: ['all'] } } },
    },
  ],
  authorityHost: 'https://login.localhost',
});
const broker = await startServiceBus({ ...common, queues: [{ name: queueName }], authorize: () => true });

const addresses: ThroughputAddresses = {
  keyVaultUrl: keyVault.vaults.get('measured')?.url ?? '',
  serviceBus: `localhost:${broker.port}`,
  caCertificate,
  plainUrl: await startPlain(),
  echoPort: await startEcho(),
};
process.on('message', () => undefined);
process.send?.(addresses);

async function startPlain(): Promise<string> {
  const { n, e } = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' });
  const kid = 'https://localhost/keys/measured/0123456789abcdef0123456789abcdef';
  const text = JSON.stringify({
    key: { kid, kty: 'RSA', key_ops: ['sign', 'verify'], n, e },
    attributes: { enabled: true, created: 1, updated: 1, recoveryLevel: 'Recoverable+Purgeable', recoverableDays: 90 },
  });
  const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) };
  const server = createServer(tls, (request, response) => {
    request.resume();
    response.writeHead(200, headers).end(text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `https://localhost:${(server.address() as AddressInfo).port}`;
}

async function startEcho(): Promise<number> {
  const container = rhea.create_container({ id: 'echo' });
  const senders = new WeakMap<object, Sender>();
  container.on('sender_open', ({ connection, sender }: EventContext) => {
    if (sender) senders.set(connection, sender);
  });
  container.on('message', ({ connection, message }: EventContext) => {
    if (message) senders.get(connection)?.send(message);
  });
  // A client that goes is no error here.
  container.on('disconnected', () => undefined);
  const server = container.listen({
    port: 0,
    host: '127.0.0.1',
    transport: 'tls',
    ...tls,
    // Node's option, which the library's types lack: without it every message waits for an acknowledgement.
    ...({ noDelay: true, tcp_no_delay: true } as object),
  } as never);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
