import { describe, expect, it } from 'vitest';
import { codeOf, receiveOne, startBus, until } from './harness.ts';

describe.concurrent('scheduling', () => {
  it.concurrent('holds messages back until their time, then gives them a new number', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const client = bus.client();
    const sender = client.createSender('q');
    const at = new Date(Date.now() + 1000);
    const numbers = await sender.scheduleMessages([{ body: 'a' }, { body: 'b' }], at);
    expect(numbers.map(String)).toEqual(['1', '2']);
    await sender.sendMessages({ body: 'now' });
    expect(bus.broker.queue('q')).toMatchObject({ active: 1, scheduled: 2 });
    const receiver = client.createReceiver('q');
    expect((await receiveOne(receiver)).body).toBe('now');
    const first = await receiveOne(receiver);
    expect(Date.now()).toBeGreaterThanOrEqual(at.getTime());
    expect(first).toMatchObject({ body: 'a', scheduledEnqueueTimeUtc: at, state: 'active' });
    expect(first.sequenceNumber?.toNumber()).toBe(4);
    expect(first.enqueuedSequenceNumber).toBe(1);
    expect(first.enqueuedTimeUtc?.getTime()).toBeGreaterThanOrEqual(at.getTime());
    expect((await receiveOne(receiver)).body).toBe('b');
  });

  it.concurrent('cancels what has not come up yet, all or nothing', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const sender = bus.client().createSender('q');
    const at = new Date(Date.now() + 60_000);
    const [first, second] = await sender.scheduleMessages([{ body: 'a' }, { body: 'b' }], at);
    if (first === undefined || second === undefined) throw new Error('two messages were scheduled');
    await sender.cancelScheduledMessages(first);
    expect(await codeOf(sender.cancelScheduledMessages([second, first]))).toBe('MessageNotFound');
    expect(bus.broker.queue('q').messages()).toMatchObject([{ body: 'b', state: 'scheduled' }]);
    await sender.cancelScheduledMessages([second]);
    expect(bus.broker.queue('q').scheduled).toBe(0);
  });

  it.concurrent('takes the time from the message itself as well', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const client = bus.client();
    const at = new Date(Date.now() + 1000);
    await client.createSender('q').sendMessages([{ body: 'later', scheduledEnqueueTimeUtc: at }, { body: 'now' }]);
    const receiver = client.createReceiver('q');
    expect((await receiveOne(receiver)).body).toBe('now');
    expect((await receiveOne(receiver)).body).toBe('later');
    expect(Date.now()).toBeGreaterThanOrEqual(at.getTime());
  });

  it.concurrent('delivers at once what is scheduled for the past', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const client = bus.client();
    await client.createSender('q').scheduleMessages({ body: 1 }, new Date(0));
    expect((await receiveOne(client.createReceiver('q'))).body).toBe(1);
  });

  it.concurrent('refuses to schedule what could not be sent', async () => {
    await using bus = await startBus({ queues: [{ name: 's', requiresSession: true }] });
    const sender = bus.client().createSender('s');
    const at = new Date(Date.now() + 60_000);
    await expect(sender.scheduleMessages([{ body: 1, sessionId: 'a' }, { body: 2 }], at)).rejects.toThrow(
      /SessionId was not set/,
    );
    expect(bus.broker.queue('s').scheduled).toBe(0);
  });

  it.concurrent('detects duplicates of what is scheduled', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', requiresDuplicateDetection: true }] });
    const sender = bus.client().createSender('q');
    await sender.scheduleMessages({ body: 1, messageId: 'same' }, new Date(Date.now() + 60_000));
    await sender.sendMessages({ body: 2, messageId: 'same' });
    expect(bus.broker.queue('q')).toMatchObject({ active: 0, scheduled: 1 });
  });
});

describe.concurrent('time to live', () => {
  it.concurrent('dead-letters expired messages where that is asked for', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', deadLetteringOnMessageExpiration: true }] });
    const client = bus.client();
    await client.createSender('q').sendMessages({ body: 1, timeToLive: 150 });
    await until(() => bus.broker.queue('q').deadLettered === 1);
    expect(bus.broker.queue('q').active).toBe(0);
    expect(await receiveOne(client.createReceiver('q', { subQueueType: 'deadLetter' }))).toMatchObject({
      body: 1,
      deadLetterReason: 'TTLExpiredException',
      deadLetterErrorDescription: 'The message expired and was dead lettered.',
    });
  });

  it.concurrent('drops expired messages otherwise; the shorter of both times counts', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', defaultMessageTimeToLiveSeconds: 0.5 }] });
    const client = bus.client();
    const receiver = client.createReceiver('q');
    await receiver.peekMessages(1);
    await client
      .createSender('q')
      .sendMessages([{ body: 1 }, { body: 2, timeToLive: 60_000 }, { body: 3, timeToLive: 20 }]);
    const [message] = await receiver.peekMessages(1);
    expect((message?.expiresAtUtc?.getTime() ?? 0) - (message?.enqueuedTimeUtc?.getTime() ?? 0)).toBe(500);
    await until(() => bus.broker.queue('q').active === 0);
    expect(bus.broker.queue('q').deadLettered).toBe(0);
  });

  it.concurrent('lets whoever holds the lock finish', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', deadLetteringOnMessageExpiration: true }] });
    const client = bus.client();
    await client
      .createSender('q')
      .sendMessages([{ body: 1 }, { body: 2 }].map((message) => ({ ...message, timeToLive: 400 })));
    const receiver = client.createReceiver('q');
    const [first, second] = await receiver.receiveMessages(2, { maxWaitTimeInMs: 300 });
    if (first === undefined || second === undefined) throw new Error('two messages were sent');
    await until(() => Date.now() > (second.expiresAtUtc?.getTime() ?? Infinity) + 20);
    expect(bus.broker.queue('q').active).toBe(2);
    await receiver.completeMessage(first);
    await receiver.abandonMessage(second);
    expect(bus.broker.queue('q')).toMatchObject({ active: 0, deadLettered: 1 });
  });

  it.concurrent('does not end what has been deferred', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const client = bus.client();
    await client.createSender('q').sendMessages({ body: 1, timeToLive: 300 });
    const receiver = client.createReceiver('q');
    const message = await receiveOne(receiver);
    await receiver.deferMessage(message);
    await until(() => Date.now() > (message.expiresAtUtc?.getTime() ?? Infinity) + 20);
    expect(await receiver.receiveDeferredMessages(message.sequenceNumber ?? [])).toHaveLength(1);
  });
});
