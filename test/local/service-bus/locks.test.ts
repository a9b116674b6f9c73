import { describe, expect, it } from 'vitest';
import { codeOf, receiveOne, sleep, startBus, until } from './harness.ts';

/** A receiver renews its locks by itself, unless told not to. */
const withoutRenewal = { maxAutoLockRenewalDurationInMs: 0 };

describe.concurrent('message locks', () => {
  it.concurrent('run out: settling fails, and the message is delivered again, counted', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', lockDurationSeconds: 0.8 }] });
    const client = bus.client();
    await client.createSender('q').sendMessages({ body: 1 });
    const receiver = client.createReceiver('q', withoutRenewal);
    const message = await receiveOne(receiver);
    expect(message.lockedUntilUtc?.getTime()).toBeLessThanOrEqual(Date.now() + 800);
    await until(() => bus.broker.queue('q').messages()[0]?.locked === false);
    expect(Date.now()).toBeGreaterThanOrEqual(message.lockedUntilUtc?.getTime() ?? Infinity);
    expect(await codeOf(receiver.completeMessage(message))).toBe('MessageLockLost');
    const again = await receiveOne(receiver);
    expect(again).toMatchObject({ body: 1, deliveryCount: 1 });
    expect(again.sequenceNumber).toEqual(message.sequenceNumber);
    await receiver.completeMessage(again);
    expect(bus.broker.queue('q').active).toBe(0);
  });

  it.concurrent('run out without anybody asking: a waiting receiver gets the message', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', lockDurationSeconds: 0.3 }] });
    const client = bus.client();
    await client.createSender('q').sendMessages({ body: 1 });
    await receiveOne(client.createReceiver('q', withoutRenewal));
    expect(await receiveOne(client.createReceiver('q', withoutRenewal))).toMatchObject({ body: 1, deliveryCount: 1 });
  });

  it.concurrent('count towards the limit of deliveries when they run out', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', lockDurationSeconds: 0.2, maxDeliveryCount: 2 }] });
    const client = bus.client();
    await client.createSender('q').sendMessages({ body: 1 });
    const receiver = client.createReceiver('q', withoutRenewal);
    await receiveOne(receiver);
    await receiveOne(receiver);
    await until(() => bus.broker.queue('q').deadLettered === 1);
    expect(bus.broker.queue('q').deadLetters()).toMatchObject([
      { applicationProperties: { DeadLetterReason: 'MaxDeliveryCountExceeded' } },
    ]);
  });

  it.concurrent('can be renewed while they last', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', lockDurationSeconds: 1.2 }] });
    const client = bus.client();
    await client.createSender('q').sendMessages({ body: 1 });
    const receiver = client.createReceiver('q', withoutRenewal);
    const message = await receiveOne(receiver);
    const first = message.lockedUntilUtc?.getTime() ?? 0;
    while (Date.now() < first + 200) {
      const until = await receiver.renewMessageLock(message);
      expect(until.getTime()).toBeGreaterThan(Date.now() + 500);
      expect(message.lockedUntilUtc).toEqual(until);
      await sleep(100);
    }
    await receiver.completeMessage(message);
    expect(bus.broker.queue('q')).toMatchObject({ active: 0 });
  });

  it.concurrent('cannot be renewed once they have run out', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', lockDurationSeconds: 0.2 }] });
    const client = bus.client();
    await client.createSender('q').sendMessages({ body: 1 });
    const receiver = client.createReceiver('q', withoutRenewal);
    const message = await receiveOne(receiver);
    await until(() => bus.broker.queue('q').messages()[0]?.locked === false);
    expect(await codeOf(receiver.renewMessageLock(message))).toBe('MessageLockLost');
  });

  it.concurrent('are renewed by a subscription for as long as its handler runs', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', lockDurationSeconds: 1 }] });
    const client = bus.client();
    await client.createSender('q').sendMessages({ body: 1 });
    const counts: unknown[] = [];
    const errors: unknown[] = [];
    client.createReceiver('q').subscribe({
      async processMessage({ deliveryCount }) {
        counts.push(deliveryCount);
        await sleep(2500);
      },
      processError: async ({ error }) => void errors.push(error),
    });
    await until(() => counts.length > 0 && bus.broker.queue('q').active === 0);
    expect(counts).toEqual([0]);
    expect(errors).toEqual([]);
  });

  it.concurrent('outlive the link that the message came on, and can still be settled', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', lockDurationSeconds: 30 }] });
    const client = bus.client();
    await client.createSender('q').sendMessages([{ body: 1 }, { body: 2 }]);
    const receiver = client.createReceiver('q');
    const [first, second] = await receiver.receiveMessages(2, { maxWaitTimeInMs: 5000 });
    if (first === undefined || second === undefined) throw new Error('two messages were sent');
    await receiver.close();
    expect(bus.broker.queue('q').messages()).toMatchObject([{ locked: true }, { locked: true }]);
    const other = client.createReceiver('q');
    await other.completeMessage(first);
    await other.abandonMessage(second);
    expect(bus.broker.queue('q').messages()).toMatchObject([{ body: 2, locked: false, deliveryCount: 1 }]);
  });

  it.concurrent('of deferred messages run out as well, and leave them deferred', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', lockDurationSeconds: 0.8 }] });
    const client = bus.client();
    await client.createSender('q').sendMessages({ body: 1 });
    const receiver = client.createReceiver('q', withoutRenewal);
    const message = await receiveOne(receiver);
    await receiver.deferMessage(message);
    const [deferred] = await receiver.receiveDeferredMessages(message.sequenceNumber ?? []);
    if (deferred === undefined) throw new Error('one message was deferred');
    await until(() => bus.broker.queue('q').messages()[0]?.locked === false);
    expect(bus.broker.queue('q').messages()).toMatchObject([{ state: 'deferred', deliveryCount: 1 }]);
    expect(await codeOf(receiver.completeMessage(deferred))).toBe('MessageLockLost');
  });
});
