import { describe, expect, it } from 'vitest';
import { codeOf, receiveBodies, receiveOne, startBus } from './harness.ts';

describe.concurrent('sending', () => {
  it.concurrent('takes a message, an array and a batch, in this order', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const { broker, client } = bus;
    const sender = client().createSender('q');
    await sender.sendMessages({ body: 'one' });
    await sender.sendMessages([{ body: 'two' }, { body: 'three' }]);
    const batch = await sender.createMessageBatch();
    expect(batch.maxSizeInBytes).toBe(262_144);
    expect(batch.tryAddMessage({ body: 'four' })).toBe(true);
    expect(batch.tryAddMessage({ body: 'five' })).toBe(true);
    await sender.sendMessages(batch);
    expect(
      broker
        .queue('q')
        .messages()
        .map(({ body }) => body),
    ).toEqual(['one', 'two', 'three', 'four', 'five']);
    expect(broker.queue('q').active).toBe(5);
  });

  it.concurrent('keeps everything that the sender set', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const { client } = bus;
    const sent = {
      body: { nested: [1, 'two', null] },
      messageId: 'the-id',
      correlationId: 'correlation',
      contentType: 'application/json',
      subject: 'subject',
      to: 'to',
      replyTo: 'reply-to',
      replyToSessionId: 'reply-session',
      timeToLive: 60_000,
      applicationProperties: {
        text: 'text',
        integer: 7,
        negative: -7,
        large: 2 ** 40,
        fraction: 1.5,
        yes: true,
        no: false,
        nothing: null,
      },
    };
    await client().createSender('q').sendMessages(sent);
    const before = Date.now();
    const received = await receiveOne(client().createReceiver('q'));
    expect(received).toMatchObject(sent);
    expect(received.state).toBe('active');
    expect(received.sequenceNumber?.toNumber()).toBe(1);
    expect(Math.abs((received.enqueuedTimeUtc?.getTime() ?? 0) - before)).toBeLessThan(5000);
    expect(received.expiresAtUtc?.getTime()).toBe((received.enqueuedTimeUtc?.getTime() ?? 0) + 60_000);
  });

  it.concurrent.each([
    ['bytes', { body: Buffer.from([0, 1, 254, 255]), bodyType: undefined }],
    ['an AMQP value', { body: 'plain', bodyType: 'value' as const }],
    ['an AMQP sequence', { body: [[1, 'two'], [3]], bodyType: 'sequence' as const }],
  ])('passes %s on as they are', async (_name, { body, bodyType }) => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const { client } = bus;
    await client()
      .createSender('q')
      .sendMessages(bodyType === undefined ? { body } : { body, bodyType });
    expect((await receiveOne(client().createReceiver('q'))).body).toEqual(body);
  });

  it.concurrent('gives a message an id if it has none', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const { client } = bus;
    await client()
      .createSender('q')
      .sendMessages([{ body: 1 }, { body: 2 }]);
    const messages = await client().createReceiver('q').receiveMessages(2);
    const ids = messages.map(({ messageId }) => messageId);
    expect(ids).toHaveLength(2);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(ids).size).toBe(2);
  });

  it.concurrent(
    'refuses a message without a session where sessions are required, and all that came with it',
    async () => {
      await using bus = await startBus({ queues: [{ name: 's', requiresSession: true }] });
      const { broker, client } = bus;
      const sender = client().createSender('s');
      await expect(sender.sendMessages({ body: 1 })).rejects.toThrow(/SessionId was not set/);
      await sender.sendMessages({ body: 2, sessionId: 'a' });
      const batch = await sender.createMessageBatch();
      batch.tryAddMessage({ body: 3, sessionId: 'a' });
      batch.tryAddMessage({ body: 4 });
      await expect(sender.sendMessages(batch)).rejects.toThrow(/SessionId was not set/);
      expect(
        broker
          .queue('s')
          .messages()
          .map(({ body }) => body),
      ).toEqual([2]);
    },
  );

  it.concurrent('drops a second message with the same id within the window only', async () => {
    let clockAhead = 0;
    await using bus = await startBus({
      queues: [{ name: 'q', requiresDuplicateDetection: true }, { name: 'plain' }],
      now: () => new Date(Date.now() + clockAhead),
    });
    const { broker, client } = bus;
    const bodies = (queue: string) =>
      broker
        .queue(queue)
        .messages()
        .map(({ body }) => body);
    const sender = client().createSender('q');
    await sender.sendMessages({ body: 1, messageId: 'same' });
    await sender.sendMessages([
      { body: 2, messageId: 'same' },
      { body: 3, messageId: 'other' },
    ]);
    expect(bodies('q')).toEqual([1, 3]);
    // Having been consumed doesn't make an id forgotten, nor does a repetition make it remembered for longer.
    expect(await receiveBodies(client().createReceiver('q'), 2)).toEqual([1, 3]);
    clockAhead = 595_000;
    await sender.sendMessages({ body: 4, messageId: 'same' });
    expect(bodies('q')).toEqual([]);
    clockAhead = 601_000;
    await sender.sendMessages({ body: 5, messageId: 'same' });
    expect(bodies('q')).toEqual([5]);

    const plain = client().createSender('plain');
    await plain.sendMessages({ body: 1, messageId: 'same' });
    await plain.sendMessages({ body: 2, messageId: 'same' });
    expect(bodies('plain')).toEqual([1, 2]);
  });

  it.concurrent('refuses a message above the size limit and goes on with the next', async () => {
    await using bus = await startBus({
      queues: [{ name: 'q' }, { name: 'small', maxMessageSizeBytes: 1024 }],
    });
    const { broker, client } = bus;
    const sender = client().createSender('q');
    expect(await codeOf(sender.sendMessages({ body: 'x'.repeat(262_144) }))).toBe('MessageSizeExceeded');
    expect(await codeOf(sender.sendMessages({ body: 'x'.repeat(3_000_000) }))).toBe('MessageSizeExceeded');
    await sender.sendMessages({ body: 'x'.repeat(261_000) });
    expect(broker.queue('q').active).toBe(1);
    const small = client().createSender('small');
    expect(await codeOf(small.sendMessages({ body: 'x'.repeat(1024) }))).toBe('MessageSizeExceeded');
    expect((await small.createMessageBatch()).maxSizeInBytes).toBe(1024);
  });

  it.concurrent('brings a message of many frames over whole', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const { client } = bus;
    const body = Array.from({ length: 25_000 }, (_, index) => index).join(',');
    await client().createSender('q').sendMessages({ body });
    expect((await receiveOne(client().createReceiver('q'))).body).toBe(body);
  });

  it.concurrent('refuses ids that are too long', async () => {
    await using bus = await startBus({ queues: [{ name: 's', requiresSession: true }] });
    const { broker, client } = bus;
    await expect(
      client()
        .createSender('s')
        .sendMessages({ body: 1, sessionId: 's'.repeat(129) }),
    ).rejects.toThrow(/128/);
    await client()
      .createSender('s')
      .sendMessages({ body: 1, sessionId: 's'.repeat(128), messageId: 'm'.repeat(128) });
    expect(broker.queue('s').active).toBe(1);
  });

  it.concurrent('knows no other entities than those it was given, whatever the case of their letters', async () => {
    await using bus = await startBus({ queues: [{ name: 'Q' }] });
    const { client } = bus;
    expect(await codeOf(client().createSender('other').sendMessages({ body: 1 }))).toBe('MessagingEntityNotFound');
    expect(await codeOf(client().createReceiver('other').receiveMessages(1))).toBe('MessagingEntityNotFound');
    expect(await codeOf(client().createReceiver('other').peekMessages(1))).toBe('MessagingEntityNotFound');
    expect(await codeOf(client().acceptSession('other', 'a'))).toBe('MessagingEntityNotFound');
    await client().createSender('q').sendMessages({ body: 1 });
    expect((await receiveOne(client().createReceiver('Q'))).body).toBe(1);
  });

  it.concurrent('does not take messages for a dead-letter queue', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const { client } = bus;
    await expect(client().createSender('q/$DeadLetterQueue').sendMessages({ body: 1 })).rejects.toThrow(
      /can't be sent/,
    );
  });
});
