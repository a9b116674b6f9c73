import { once } from 'node:events';
import { createServer, connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createFaults } from '../../../src/local/faults.ts';
import { startServiceBus } from '../../../src/local/service-bus/index.ts';
import { credentialOf, receiveOne, serverTls, sleep, startBus, until, verifyByName } from './harness.ts';
import { connectRaw } from './raw-client.ts';

const persistent = { timeoutInMs: 1000, maxRetries: 5, retryDelayInMs: 20 };

/** Stands between client and broker, and can break what goes through it. */
async function startProxy(port: number) {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((client) => {
    connections++;
    const upstream = connectTcp({ host: '127.0.0.1', port });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    client.pipe(upstream);
    upstream.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    connections: () => connections,
    end: () => sockets.forEach((socket) => socket.end()),
    reset: () => sockets.forEach((socket) => socket.resetAndDestroy()),
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

describe.concurrent('a broken connection', () => {
  it.concurrent.each(['end', 'reset'] as const)('by socket %s: senders and subscriptions come back', async (how) => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    await using proxy = await startProxy(bus.broker.port);
    await using through = await clientTo(proxy.port);
    const { client } = through;
    const seen: unknown[] = [];
    client.createReceiver('q').subscribe({
      processMessage: async ({ body }) => void seen.push(body),
      processError: async () => undefined,
    });
    const sender = client.createSender('q');
    await sender.sendMessages({ body: 1 });
    await until(() => seen.length === 1);
    proxy[how]();
    await sender.sendMessages({ body: 2 });
    await until(() => seen.length === 2);
    expect(seen).toEqual([1, 2]);
    expect(proxy.connections()).toBeGreaterThan(1);
  });

  it.concurrent('gets no more messages: a message sent afterwards goes to the next receiver at once', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', lockDurationSeconds: 60 }] });
    await using proxy = await startProxy(bus.broker.port);
    await using raw = await connectRaw(proxy.port);
    await raw.putToken('q');
    const dead = await raw.receiver({ source: { address: 'q' }, credit_window: 100 });
    expect(dead.is_open()).toBe(true);
    const gone = once(raw.connection, 'disconnected');
    proxy.reset();
    await gone;
    await bus.client().createSender('q').sendMessages({ body: 1 });
    expect(await receiveOne(bus.client().createReceiver('q'))).toMatchObject({ body: 1, deliveryCount: 0 });
  });

  it.concurrent('lets its session go at once, and its waiting for one', async () => {
    await using bus = await startBus({ queues: [{ name: 's', requiresSession: true, lockDurationSeconds: 60 }] });
    await using proxy = await startProxy(bus.broker.port);
    await using raw = await connectRaw(proxy.port);
    await raw.putToken('s');
    const filter = (id: string | null) =>
      ({ source: { address: 's', filter: { 'com.microsoft:session-filter': id } } }) as never;
    await raw.receiver(filter('held'));
    raw.connection.open_receiver(filter(null));
    await raw.putToken('s');
    const gone = once(raw.connection, 'disconnected');
    proxy.reset();
    await gone;
    const client = bus.client({ retryOptions: persistent });
    expect((await client.acceptSession('s', 'held')).sessionId).toBe('held');
    await client.createSender('s').sendMessages({ body: 1, sessionId: 'next' });
    expect((await client.acceptNextSession('s')).sessionId).toBe('next');
  });

  it.concurrent('does not give up the locks of single messages', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', lockDurationSeconds: 60 }] });
    await using proxy = await startProxy(bus.broker.port);
    await using through = await clientTo(proxy.port);
    await bus.client().createSender('q').sendMessages({ body: 1 });
    const receiver = through.client.createReceiver('q');
    const message = await receiveOne(receiver);
    proxy.reset();
    await sleep(50);
    expect(bus.broker.queue('q').messages()).toMatchObject([{ locked: true }]);
    await receiver.completeMessage(message);
    expect(bus.broker.queue('q').active).toBe(0);
  });
});

describe.concurrent('a broker that comes back', () => {
  it.concurrent('on the same port is found again by a sender', async () => {
    const options = {
      queues: [{ name: 'q' }],
      tls: serverTls,
      verify: verifyByName,
      authorize: () => true,
      faults: createFaults(),
      now: () => new Date(),
    };
    const first = await startServiceBus(options);
    await using through = await clientTo(first.port);
    const sender = through.client.createSender('q');
    await sender.sendMessages({ body: 1 });
    await first.stop();
    const second = await startServiceBus({ ...options, port: first.port });
    try {
      await sender.sendMessages({ body: 2 });
      expect(second.queue('q').messages()).toMatchObject([{ body: 2 }]);
      expect(() => second.queue('other')).toThrow(RangeError);
    } finally {
      await through.client.close();
      await second.stop();
    }
  });
});

describe.concurrent('idle links', () => {
  it.concurrent('that nothing is sent on are detached; the real client opens them again', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }], linkIdleTimeoutSeconds: 1 });
    await using raw = await connectRaw(bus.broker.port);
    await raw.putToken('q');
    const receiver = await raw.receiver({ source: { address: 'q' }, credit_window: 0 });
    const link = await raw.sender({ target: { address: 'q' } });
    const detached = once(link, 'sender_error');
    const sender = bus.client({ retryOptions: persistent }).createSender('q');
    await sender.sendMessages({ body: 1 });
    await detached;
    expect(link.error).toMatchObject({ condition: 'amqp:link:detach-forced' });
    await sleep(1500);
    await sender.sendMessages({ body: 2 });
    expect(bus.broker.queue('q').active).toBe(2);
    expect(receiver.is_open()).toBe(true);
  });

  it.concurrent('that something is sent on stay', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }], linkIdleTimeoutSeconds: 1 });
    await using raw = await connectRaw(bus.broker.port);
    await raw.putToken('q');
    const link = await raw.sender({ target: { address: 'q' } });
    for (let sent = 0; sent < 8; sent++) {
      link.send({ body: sent });
      await sleep(200);
    }
    expect(link.is_open()).toBe(true);
    expect(bus.broker.queue('q').active).toBe(8);
  });
});

it.concurrent('refuses what Service Bus would not create', async () => {
  for (const queue of [
    { name: '' },
    { name: 'a b' },
    { name: '-q' },
    { name: 'q', lockDurationSeconds: 301 },
    { name: 'q', maxDeliveryCount: 0 },
  ]) {
    await expect(startBus({ queues: [queue] })).rejects.toThrow(RangeError);
  }
});

async function clientTo(port: number) {
  const { ServiceBusClient } = await import('@azure/service-bus');
  const client = new ServiceBusClient(`localhost:${port}`, credentialOf('app'), { retryOptions: persistent });
  return { client, [Symbol.asyncDispose]: () => client.close() };
}
