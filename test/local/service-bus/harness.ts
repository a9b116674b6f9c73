import type { AccessToken, TokenCredential } from '@azure/identity';
import { ServiceBusClient } from '@azure/service-bus';
import type { ServiceBusClientOptions, ServiceBusReceivedMessage, ServiceBusReceiver } from '@azure/service-bus';
import { vi } from 'vitest';
import { createCertificates, trustInThisProcess } from '../../../src/local/certificates.ts';
import { createFaults } from '../../../src/local/faults.ts';
import type { Faults } from '../../../src/local/faults.ts';
import { TokenRejected } from '../../../src/local/principals.ts';
import type { VerifyToken } from '../../../src/local/principals.ts';
import { startServiceBus } from '../../../src/local/service-bus/index.ts';
import type { ServiceBusOptions, ServiceBusStandIn } from '../../../src/local/service-bus/index.ts';

// These tests wait for locks and links most of the time.
vi.setConfig({ maxConcurrency: 10 });

const certificates = await createCertificates();
trustInThisProcess(certificates.caCertificate);

export const serverTls = { key: certificates.privateKey, cert: certificates.certificate };
export const caCertificate = certificates.caCertificate;

export interface Bus extends AsyncDisposable {
  broker: ServiceBusStandIn;
  faults: Faults;
  /** A real client; retries nothing and waits briefly, unless told otherwise. */
  client: (options?: {
    credential?: TokenCredential;
    retryOptions?: ServiceBusClientOptions['retryOptions'];
  }) => ServiceBusClient;
}

export type BusOptions = Partial<Omit<ServiceBusOptions, 'tls' | 'faults'>>;

/** A broker for one test, and real clients to it; all are closed with it. */
export async function startBus(options: BusOptions = {}): Promise<Bus> {
  const faults = createFaults();
  const broker = await startServiceBus({
    queues: [],
    verify: verifyByName,
    authorize: () => true,
    now: () => new Date(),
    ...options,
    faults,
    tls: serverTls,
  });
  const clients: ServiceBusClient[] = [];
  return {
    broker,
    faults,
    client({ credential = credentialOf('app'), retryOptions = { timeoutInMs: 5000, maxRetries: 0 } } = {}) {
      const client = new ServiceBusClient(`localhost:${broker.port}`, credential, { retryOptions });
      clients.push(client);
      return client;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.close()));
      await broker.stop();
    },
  };
}

/** Tokens are `token-<client id>`, with anything behind a dot ignored. */
export const verifyByName: VerifyToken = async (token) => {
  const name = /^token-([\w-]+)/.exec(token)?.[1];
  if (name === undefined) throw new TokenRejected('signature', 'the token is not one of ours');
  return { tenantId: 'tenant', objectId: `object-${name}`, clientId: name };
};

export function credentialOf(name: string, scopes: string[] = []): TokenCredential {
  return {
    getToken: async (scope): Promise<AccessToken> => {
      scopes.push(...[scope].flat());
      return { token: `token-${name}`, expiresOnTimestamp: Date.now() + 3_600_000 };
    },
  };
}

/** Receives exactly one message, however long that takes. */
export async function receiveOne(receiver: ServiceBusReceiver): Promise<ServiceBusReceivedMessage> {
  const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 10_000 });
  if (message === undefined) throw new Error('no message came');
  return message;
}

export async function receiveBodies(receiver: ServiceBusReceiver, count: number): Promise<unknown[]> {
  const bodies: unknown[] = [];
  while (bodies.length < count) {
    const messages = await receiver.receiveMessages(count - bodies.length, { maxWaitTimeInMs: 5000 });
    if (messages.length === 0) break;
    for (const message of messages) {
      bodies.push(message.body);
      if (receiver.receiveMode === 'peekLock') await receiver.completeMessage(message);
    }
  }
  return bodies;
}

export const bodiesOf = (messages: readonly { body: unknown }[]): unknown[] => messages.map(({ body }) => body);

/** The code of the error that the promise fails with; a success is `undefined`. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code ?? (error as Error).message;
  }
}

export async function until(
  condition: () => boolean | Promise<boolean>,
  what = 'the condition to hold',
  milliseconds = 10_000,
): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
