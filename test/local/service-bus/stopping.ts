import { once } from 'node:events';
import { createCertificates, trustInThisProcess } from '../../../src/local/certificates.ts';
import { createFaults } from '../../../src/local/faults.ts';
import { startServiceBus } from '../../../src/local/service-bus/index.ts';
import { connectRaw } from './raw-client.ts';

// Run as a process of its own, which must end by itself.
const certificates = await createCertificates();
trustInThisProcess(certificates.caCertificate);
const broker = await startServiceBus({
  queues: [{ name: 'q' }, { name: 's', requiresSession: true }],
  tls: { key: certificates.privateKey, cert: certificates.certificate },
  verify: async () => ({ tenantId: 'tenant', objectId: 'object', clientId: 'app' }),
  authorize: () => true,
  faults: createFaults(),
  now: () => new Date(),
});
const raw = await connectRaw(broker.port, certificates.caCertificate);
await raw.putToken('q');
await raw.putToken('s');
const sender = await raw.sender({ target: { address: 'q' } });
sender.send({ body: 1, ttl: 3_600_000 });
await once(sender, 'accepted');
await raw.receiver({ source: { address: 'q' } });
raw.connection.open_receiver({ source: { address: 's', filter: { 'com.microsoft:session-filter': null } } });
await raw.putToken('s');
const gone = once(raw.connection, 'disconnected');
await broker.stop();
await gone;
console.log('stopped');
