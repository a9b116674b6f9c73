import { describe, expect, it } from 'vitest';
import { codeOf, receiveBodies, receiveOne, startBus, until } from './harness.ts';
import type { BusOptions } from './harness.ts';

const hour = 3_600_000;

/** A broker whose clock can be put forward. */
async function startClocked(options: BusOptions) {
  let aheadMilliseconds = 0;
  const now = () => new Date(Date.now() + aheadMilliseconds);
  const bus = await startBus({ ...options, now });
  return { ...bus, now, later: (milliseconds: number) => void (aheadMilliseconds += milliseconds) };
}

describe.concurrent('scheduling', () => {
  it.concurrent('holds messages back until their time, then gives them a new number', async () => {
    await using bus = await startClocked({ queues: [{ name: 'q' }] });
    const client = bus.client();
    const sender = client.createSender('q');
    const at = new Date(Date.now() + hour);
    const numbers = await sender.scheduleMessages([{ body: 'a' }, { body: 'b' }], at);
    expect(numbers.map(String)).toEqual(['1', '2']);
    await sender.sendMessages({ body: 'now' });
    expect(bus.broker.queue('q')).toMatchObject({ active: 1, scheduled: 2 });
    const receiver = client.createReceiver('q');
    expect(await receiveBodies(receiver, 1)).toEqual(['now']);
    // Whoever waits already gets it when its time has come.
    const waiting = receiveOne(receiver);
    bus.later(hour - 60_000);
    expect(bus.broker.queue('q')).toMatchObject({ active: 0, scheduled: 2 });
    bus.later(61_000);
    const first = await waiting;
    expect(first).toMatchObject({ body: 'a', scheduledEnqueueTimeUtc: at, state: 'active' });
    expect(first.sequenceNumber?.toNumber()).toBe(4);
    expect(first.enqueuedSequenceNumber).toBe(1);
    expect(first.enqueuedTimeUtc?.getTime()).toBeGreaterThanOrEqual(at.getTime());
    expect((await receiveOne(receiver)).body).toBe('b');
  });

  it.concurrent('needs nothing but the passing of time', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const client = bus.client();
    const receiver = client.createReceiver('q');
    const waiting = receiveOne(receiver);
    const at = new Date(Date.now() + 500);
    await client.createSender('q').scheduleMessages({ body: 1 }, at);
    expect((await waiting).body).toBe(1);
    expect(Date.now()).toBeGreaterThanOrEqual(at.getTime());
  });

  it.concurrent('cancels what has not come up yet, all or nothing', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const sender = bus.client().createSender('q');
    const at = new Date(Date.now() + hour);
    const [first, second] = await sender.scheduleMessages([{ body: 'a' }, { body: 'b' }], at);
    if (first === undefined || second === undefined) throw new Error('two messages were scheduled');
    await sender.cancelScheduledMessages(first);
    expect(await codeOf(sender.cancelScheduledMessages([second, first]))).toBe('MessageNotFound');
    expect(bus.broker.queue('q').messages()).toMatchObject([{ body: 'b', state: 'scheduled' }]);
    await sender.cancelScheduledMessages([second]);
    expect(bus.broker.queue('q').scheduled).toBe(0);
  });

  it.concurrent('takes the time from the message itself as well', async () => {
    await using bus = await startClocked({ queues: [{ name: 'q' }] });
    const client = bus.client();
    const at = new Date(Date.now() + hour);
    await client.createSender('q').sendMessages([{ body: 'later', scheduledEnqueueTimeUtc: at }, { body: 'now' }]);
    const receiver = client.createReceiver('q');
    expect(await receiveBodies(receiver, 1)).toEqual(['now']);
    expect(bus.broker.queue('q').scheduled).toBe(1);
    bus.later(hour + 1000);
    expect((await receiveOne(receiver)).body).toBe('later');
  });

  it.concurrent('delivers at once what is scheduled for the past', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const client = bus.client();
    await client.createSender('q').scheduleMessages({ body: 1 }, new Date(0));
    expect((await receiveOne(client.createReceiver('q'))).body).toBe(1);
  });

  it.concurrent('into a session wakes whoever waits for one', async () => {
    await using bus = await startClocked({ queues: [{ name: 's', requiresSession: true }] });
    const client = bus.client();
    await client.createSender('s').scheduleMessages({ body: 1, sessionId: 'a' }, new Date(Date.now() + hour));
    const waiting = client.acceptNextSession('s');
    bus.later(hour + 1000);
    expect(await receiveOne(await waiting)).toMatchObject({ body: 1, sessionId: 'a' });
  });

  it.concurrent('refuses to schedule what could not be sent', async () => {
    await using bus = await startBus({ queues: [{ name: 's', requiresSession: true }] });
    const sender = bus.client().createSender('s');
    const at = new Date(Date.now() + hour);
    await expect(sender.scheduleMessages([{ body: 1, sessionId: 'a' }, { body: 2 }], at)).rejects.toThrow(
      /SessionId was not set/,
    );
    expect(bus.broker.queue('s').scheduled).toBe(0);
  });

  it.concurrent('detects duplicates of what is scheduled', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', requiresDuplicateDetection: true }] });
    const sender = bus.client().createSender('q');
    await sender.scheduleMessages({ body: 1, messageId: 'same' }, new Date(Date.now() + hour));
    await sender.sendMessages({ body: 2, messageId: 'same' });
    expect(bus.broker.queue('q')).toMatchObject({ active: 0, scheduled: 1 });
  });

  it.concurrent('to a topic reaches its subscriptions in time, unless it is cancelled', async () => {
    await using bus = await startClocked({ topics: [{ name: 't', subscriptions: [{ name: 'one' }] }] });
    const client = bus.client();
    const sender = client.createSender('t');
    const [first, second] = await sender.scheduleMessages([{ body: 1 }, { body: 2 }], new Date(Date.now() + hour));
    if (first === undefined || second === undefined) throw new Error('two messages were scheduled');
    await sender.cancelScheduledMessages(first);
    expect(await codeOf(sender.cancelScheduledMessages([first, second]))).toBe('MessageNotFound');
    expect(bus.broker.queue('t/Subscriptions/one').active).toBe(0);
    bus.later(hour + 1000);
    expect((await receiveOne(client.createReceiver('t', 'one'))).body).toBe(2);
    expect(bus.broker.queue('t/Subscriptions/one').active).toBe(1);
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
    await using bus = await startClocked({ queues: [{ name: 'q', defaultMessageTimeToLiveSeconds: 60 }] });
    const client = bus.client();
    await client
      .createSender('q')
      .sendMessages([{ body: 1 }, { body: 2, timeToLive: hour }, { body: 3, timeToLive: 30_000 }]);
    const messages = await client.createReceiver('q').peekMessages(3);
    const lives = messages.map(
      ({ expiresAtUtc, enqueuedTimeUtc }) => (expiresAtUtc?.getTime() ?? 0) - (enqueuedTimeUtc?.getTime() ?? 0),
    );
    expect(lives).toEqual([60_000, 60_000, 30_000]);
    bus.later(31_000);
    expect(bus.broker.queue('q').messages()).toMatchObject([{ body: 1 }, { body: 2 }]);
    bus.later(30_000);
    expect(bus.broker.queue('q')).toMatchObject({ active: 0, deadLettered: 0 });
  });

  it.concurrent('lets whoever holds the lock finish', async () => {
    await using bus = await startClocked({
      queues: [{ name: 'q', deadLetteringOnMessageExpiration: true, lockDurationSeconds: 60 }],
    });
    const client = bus.client();
    await client.createSender('q').sendMessages([
      { body: 1, timeToLive: 30_000 },
      { body: 2, timeToLive: 30_000 },
    ]);
    const receiver = client.createReceiver('q');
    const [first, second] = await receiver.receiveMessages(2, { maxWaitTimeInMs: 5000 });
    if (first === undefined || second === undefined) throw new Error('two messages were sent');
    bus.later(40_000);
    expect(bus.broker.queue('q').active).toBe(2);
    await receiver.completeMessage(first);
    await receiver.abandonMessage(second);
    expect(bus.broker.queue('q')).toMatchObject({ active: 0, deadLettered: 1 });
  });

  it.concurrent('does not end what has been deferred', async () => {
    await using bus = await startClocked({ queues: [{ name: 'q' }] });
    const client = bus.client();
    await client.createSender('q').sendMessages({ body: 1, timeToLive: 30_000 });
    const receiver = client.createReceiver('q');
    const message = await receiveOne(receiver);
    await receiver.deferMessage(message);
    bus.later(hour);
    expect(await receiver.receiveDeferredMessages(message.sequenceNumber ?? [])).toHaveLength(1);
  });

  it.concurrent('of a topic holds for its subscriptions', async () => {
    await using bus = await startClocked({
      topics: [
        {
          name: 't',
          defaultMessageTimeToLiveSeconds: 60,
          subscriptions: [{ name: 'one', deadLetteringOnMessageExpiration: true }],
        },
      ],
    });
    await bus.client().createSender('t').sendMessages({ body: 1 });
    bus.later(61_000);
    expect(bus.broker.queue('t/Subscriptions/one')).toMatchObject({ active: 0, deadLettered: 1 });
  });
});
