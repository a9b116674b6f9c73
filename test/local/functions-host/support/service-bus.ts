import { ServiceBusClient, type ServiceBusMessage } from '@azure/service-bus';
import type { TokenCredential } from '@azure/identity';
import { createCertificates, trustInThisProcess } from '../../../../src/local/certificates.ts';
import { createFaults, type Faults } from '../../../../src/local/faults.ts';
import {
  type QueueOptions,
  type ServiceBusStandIn,
  startServiceBus,
  type TopicOptions,
} from '../../../../src/local/service-bus/index.ts';

export interface TestBus {
  broker: ServiceBusStandIn;
  faults: Faults;
  /** For the setting `<connection>__fullyQualifiedNamespace`. */
  namespace: string;
  credential: TokenCredential;
  send(queue: string, messages: ServiceBusMessage | ServiceBusMessage[]): Promise<void>;
  stop(): Promise<void>;
}

/** A broker with TLS, as a namespace is, and a sender of its own. */
export async function startTestBus(queues: QueueOptions[], topics: TopicOptions[]): Promise<TestBus> {
  const { caCertificate, certificate, privateKey } = await createCertificates();
  trustInThisProcess(caCertificate);
  const faults = createFaults();
  const broker = await startServiceBus({
    queues,
    topics,
    tls: { key: privateKey, cert: certificate },
    faults,
    now: () => new Date(),
    authorize: () => true,
    verify: async () => ({ tenantId: 'tenant', objectId: 'object', clientId: 'client' }),
  });
  const credential: TokenCredential = {
    getToken: async () => ({ token: 'token', expiresOnTimestamp: Date.now() + 3_600_000 }),
  };
  const namespace = `localhost:${broker.port}`;
  const client = new ServiceBusClient(namespace, credential);
  const senders = new Map<string, ReturnType<ServiceBusClient['createSender']>>();
  return {
    broker,
    faults,
    namespace,
    credential,
    async send(queue, messages) {
      const sender = senders.get(queue) ?? client.createSender(queue);
      senders.set(queue, sender);
      await sender.sendMessages(messages);
    },
    async stop() {
      await client.close();
      await broker.stop();
    },
  };
}
