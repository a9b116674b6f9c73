import type { ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver } from '@azure/service-bus';
import { describe, expect, it } from 'vitest';
import { bodiesOf, codeOf, receiveBodies, receiveOne, sleep, startBus, until } from './harness.ts';

/** A queue with some messages, and a receiver of it. */
async function filledQueue(count: number, options = {}) {
  const bus = await startBus({ queues: [{ name: 'q', ...options }] });
  const client = bus.client();
  const bodies = Array.from({ length: count }, (_, index) => ({ body: index + 1 }));
  await client.createSender('q').sendMessages(bodies);
  return { ...bus, connection: client, receiver: client.createReceiver('q'), queue: bus.broker.queue('q') };
}

type SequenceNumber = NonNullable<ServiceBusReceivedMessage['sequenceNumber']>;

const deadLetterReceiver = (client: ServiceBusClient) => client.createReceiver('q', { subQueueType: 'deadLetter' });

describe.concurrent('settling', () => {
  it.concurrent('completes', async () => {
    await using bus = await filledQueue(1);
    const { receiver, queue } = bus;
    const message = await receiveOne(receiver);
    expect(queue.messages()).toMatchObject([{ locked: true }]);
    await receiver.completeMessage(message);
    expect(queue).toMatchObject({ active: 0, deadLettered: 0 });
  });

  it.concurrent('refuses to settle twice', async () => {
    await using bus = await filledQueue(1);
    const { receiver } = bus;
    const message = await receiveOne(receiver);
    await receiver.completeMessage(message);
    await expect(receiver.completeMessage(message)).rejects.toThrow(/already settled/);
  });

  it.concurrent('abandons: the message comes back first, counted and with the changed properties', async () => {
    await using bus = await filledQueue(2);
    const { receiver } = bus;
    const first = await receiveOne(receiver);
    expect(first.deliveryCount).toBe(0);
    await receiver.abandonMessage(first, { attempt: 'failed', times: 1 });
    const again = await receiveOne(receiver);
    expect(again).toMatchObject({ body: 1, deliveryCount: 1, applicationProperties: { attempt: 'failed', times: 1 } });
    expect(again.lockToken).not.toBe(first.lockToken);
    expect(again.sequenceNumber).toEqual(first.sequenceNumber);
    await receiver.abandonMessage(again, { times: 2 });
    expect((await receiveOne(receiver)).applicationProperties).toEqual({ attempt: 'failed', times: 2 });
  });

  it.concurrent('dead-letters with a reason, a description and further properties', async () => {
    await using bus = await filledQueue(1);
    const { connection, receiver, queue } = bus;
    const message = await receiveOne(receiver);
    await receiver.deadLetterMessage(message, {
      deadLetterReason: 'reason',
      deadLetterErrorDescription: 'description',
      extra: 7,
    });
    expect(queue).toMatchObject({ active: 0, deadLettered: 1 });
    const dead = await receiveOne(deadLetterReceiver(connection));
    expect(dead).toMatchObject({
      body: 1,
      messageId: message.messageId,
      deadLetterReason: 'reason',
      deadLetterErrorDescription: 'description',
      deadLetterSource: 'q',
      applicationProperties: { extra: 7, DeadLetterReason: 'reason', DeadLetterErrorDescription: 'description' },
    });
    expect(dead.enqueuedTimeUtc).toEqual(message.enqueuedTimeUtc);
  });

  it.concurrent('dead-letters without a reason', async () => {
    await using bus = await filledQueue(1);
    const { connection, receiver } = bus;
    await receiver.deadLetterMessage(await receiveOne(receiver));
    const dead = await receiveOne(deadLetterReceiver(connection));
    expect(dead.body).toBe(1);
    expect(dead.deadLetterReason).toBeUndefined();
  });

  it.concurrent('dead-letters what has been delivered as often as is allowed', async () => {
    await using bus = await filledQueue(1, { maxDeliveryCount: 3 });
    const { connection, receiver, queue } = bus;
    for (const deliveryCount of [0, 1, 2]) {
      const message = await receiveOne(receiver);
      expect(message.deliveryCount).toBe(deliveryCount);
      await receiver.abandonMessage(message);
    }
    expect(queue).toMatchObject({ active: 0, deadLettered: 1 });
    expect(queue.deadLetters()).toMatchObject([
      { deliveryCount: 3, applicationProperties: { DeadLetterReason: 'MaxDeliveryCountExceeded' } },
    ]);
    expect(await receiveOne(deadLetterReceiver(connection))).toMatchObject({
      deadLetterReason: 'MaxDeliveryCountExceeded',
      deadLetterErrorDescription: 'Message could not be consumed after 3 delivery attempts.',
    });
  });

  it.concurrent('keeps dead letters until they are completed, however often they are abandoned', async () => {
    await using bus = await filledQueue(1, { maxDeliveryCount: 1 });
    const { connection, receiver, queue } = bus;
    await receiver.abandonMessage(await receiveOne(receiver));
    const dead = deadLetterReceiver(connection);
    for (let time = 0; time < 3; time++) await dead.abandonMessage(await receiveOne(dead));
    expect(queue.deadLetters()).toMatchObject([{ deliveryCount: 4 }]);
    await dead.completeMessage(await receiveOne(dead));
    expect(queue.deadLettered).toBe(0);
  });

  it.concurrent('does not dead-letter a dead letter', async () => {
    await using bus = await filledQueue(1, { maxDeliveryCount: 1 });
    const { connection, receiver, queue } = bus;
    await receiver.abandonMessage(await receiveOne(receiver));
    const dead = deadLetterReceiver(connection);
    await expect(dead.deadLetterMessage(await receiveOne(dead))).rejects.toThrow(/cannot be dead-lettered/);
    expect(queue.deadLettered).toBe(1);
  });

  it.concurrent('receives and deletes', async () => {
    await using bus = await filledQueue(3);
    const { connection, queue } = bus;
    const receiver = connection.createReceiver('q', { receiveMode: 'receiveAndDelete' });
    const messages = await receiver.receiveMessages(2, { maxWaitTimeInMs: 5000 });
    expect(bodiesOf(messages)).toEqual([1, 2]);
    expect(messages[0]?.lockToken).toBeUndefined();
    expect(queue.active).toBe(1);
    expect(await receiveBodies(receiver, 1)).toEqual([3]);
    expect(queue.active).toBe(0);
  });

  it.concurrent(
    'answers a receive that finds nothing within its time, and again delivers to the same receiver later',
    async () => {
      await using bus = await filledQueue(0);
      const { connection, receiver } = bus;
      expect(await receiver.receiveMessages(5, { maxWaitTimeInMs: 50 })).toEqual([]);
      expect(await receiver.receiveMessages(5, { maxWaitTimeInMs: 50 })).toEqual([]);
      await connection.createSender('q').sendMessages({ body: 'late' });
      expect((await receiveOne(receiver)).body).toBe('late');
    },
  );
});

describe.concurrent('deferring', () => {
  async function deferred(receiver: ServiceBusReceiver) {
    const message = await receiveOne(receiver);
    await receiver.deferMessage(message, { why: 'later' });
    return message.sequenceNumber as SequenceNumber;
  }

  it.concurrent('keeps the message until it is asked for by its number', async () => {
    await using bus = await filledQueue(2);
    const { receiver, queue } = bus;
    const number = await deferred(receiver);
    expect(queue).toMatchObject({ active: 1, deferred: 1 });
    expect((await receiveOne(receiver)).body).toBe(2);
    const [peeked] = await receiver.peekMessages(5, { fromSequenceNumber: number });
    expect(peeked).toMatchObject({ body: 1, state: 'deferred' });
    const [message] = await receiver.receiveDeferredMessages(number);
    expect(message).toMatchObject({ body: 1, applicationProperties: { why: 'later' }, state: 'deferred' });
    expect(message?.lockToken).toMatch(/^[0-9a-f-]{36}$/);
    expect(message?.lockedUntilUtc?.getTime()).toBeGreaterThan(Date.now());
  });

  it.concurrent.each(['complete', 'abandon', 'defer', 'deadLetter'] as const)(
    '%s works on what was deferred',
    async (operation) => {
      await using bus = await filledQueue(1);
      const { receiver, queue } = bus;
      const number = await deferred(receiver);
      const [message] = await receiver.receiveDeferredMessages([number]);
      if (message === undefined) throw new Error('nothing deferred came');
      // While it is locked nobody else gets it.
      expect(await codeOf(receiver.receiveDeferredMessages([number]))).toBe('MessageNotFound');
      switch (operation) {
        case 'complete':
          await receiver.completeMessage(message);
          expect(queue).toMatchObject({ active: 0, deferred: 0, deadLettered: 0 });
          break;
        case 'abandon':
          await receiver.abandonMessage(message, { again: true });
          expect(queue.messages()).toMatchObject([
            { state: 'deferred', deliveryCount: 1, applicationProperties: { why: 'later', again: true } },
          ]);
          break;
        case 'defer':
          await receiver.deferMessage(message);
          expect(queue.messages()).toMatchObject([{ state: 'deferred', deliveryCount: 0 }]);
          break;
        case 'deadLetter':
          await receiver.deadLetterMessage(message, {
            deadLetterReason: 'r',
            deadLetterErrorDescription: 'd',
            extra: 1,
          });
          expect(queue.deadLetters()).toMatchObject([
            { applicationProperties: { DeadLetterReason: 'r', DeadLetterErrorDescription: 'd', extra: 1 } },
          ]);
      }
      if (operation === 'abandon' || operation === 'defer')
        expect(await receiver.receiveDeferredMessages([number])).toHaveLength(1);
      else expect(await codeOf(receiver.receiveDeferredMessages([number]))).toBe('MessageNotFound');
    },
  );

  it.concurrent('receives and deletes what was deferred', async () => {
    await using bus = await filledQueue(1);
    const { connection, receiver, queue } = bus;
    const number = await deferred(receiver);
    const deleting = connection.createReceiver('q', { receiveMode: 'receiveAndDelete' });
    expect(await deleting.receiveDeferredMessages(number)).toMatchObject([{ body: 1 }]);
    expect(queue.deferred).toBe(0);
  });

  it.concurrent('gives nothing for a number that is not one of a deferred message', async () => {
    await using bus = await filledQueue(1);
    const { receiver } = bus;
    const number = await deferred(receiver);
    for (const numbers of [[number.add(99)], [number, number.add(99)]]) {
      expect(await codeOf(receiver.receiveDeferredMessages(numbers))).toBe('MessageNotFound');
    }
    expect(await receiver.receiveDeferredMessages(number)).toHaveLength(1);
  });
});

describe.concurrent('peeking', () => {
  it.concurrent('shows messages in any state, in order, page by page, without effect', async () => {
    await using bus = await filledQueue(3);
    const { connection, receiver, queue } = bus;
    await connection.createSender('q').scheduleMessages({ body: 'scheduled' }, new Date(Date.now() + 60_000));
    await receiver.deferMessage(await receiveOne(receiver));
    const locked = await receiveOne(receiver);
    const peeking = connection.createReceiver('q');
    const first = await peeking.peekMessages(2);
    expect(first.map(({ body, state }): unknown[] => [body, state])).toEqual([
      [1, 'deferred'],
      [2, 'active'],
    ]);
    const rest = await peeking.peekMessages(10);
    expect(rest.map(({ body, state }): unknown[] => [body, state])).toEqual([
      [3, 'active'],
      ['scheduled', 'scheduled'],
    ]);
    expect(rest[0]).toMatchObject({ lockToken: undefined, deliveryCount: 0 });
    expect(await peeking.peekMessages(10)).toEqual([]);
    const fromSecond = { fromSequenceNumber: locked.sequenceNumber as SequenceNumber };
    expect(bodiesOf(await peeking.peekMessages(10, fromSecond))).toEqual([2, 3, 'scheduled']);
    await receiver.completeMessage(locked);
    expect(queue).toMatchObject({ active: 1, deferred: 1, scheduled: 1 });
  });
});

describe.concurrent('subscribing', () => {
  it.concurrent('completes by itself, at most so many at a time', async () => {
    await using bus = await filledQueue(40);
    const { receiver, queue } = bus;
    let running = 0;
    let most = 0;
    const seen: unknown[] = [];
    const subscription = await new Promise<{ close(): Promise<void> }>((resolve) => {
      const handle = receiver.subscribe(
        {
          async processMessage(message) {
            most = Math.max(most, ++running);
            await sleep(5);
            running--;
            seen.push(message.body);
            if (seen.length === 40) resolve(handle);
          },
          processError: async () => undefined,
        },
        { maxConcurrentCalls: 8 },
      );
    });
    await subscription.close();
    expect(most).toBe(8);
    expect(new Set(seen).size).toBe(40);
    await until(() => queue.active === 0);
  });

  it.concurrent('abandons when the handler throws', async () => {
    await using bus = await filledQueue(1, { maxDeliveryCount: 3 });
    const { receiver, queue } = bus;
    const counts: unknown[] = [];
    receiver.subscribe({
      async processMessage({ deliveryCount }) {
        counts.push(deliveryCount);
        throw new Error('no');
      },
      processError: async () => undefined,
    });
    await until(() => queue.deadLettered === 1);
    expect(counts).toEqual([0, 1, 2]);
  });

  it.concurrent('shares the messages between receivers', async () => {
    await using bus = await filledQueue(0);
    const { client, connection, queue } = bus;
    const counts = [0, 0, 0];
    counts.forEach((_, index) => {
      client()
        .createReceiver('q')
        .subscribe({
          async processMessage() {
            counts[index] = (counts[index] ?? 0) + 1;
            await sleep(1);
          },
          processError: async () => undefined,
        });
    });
    const sender = connection.createSender('q');
    await until(async () => {
      await sender.sendMessages({ body: 0 });
      return Math.min(...counts) > 3;
    });
    await until(() => queue.active === 0);
  });
});
