import { describe, expect, it } from 'vitest';
import { codeOf, receiveBodies, receiveOne, startBus } from './harness.ts';

describe.concurrent('topics', () => {
  it.concurrent('give every subscription a message of its own', async () => {
    await using bus = await startBus({
      topics: [{ name: 't', subscriptions: [{ name: 'one', maxDeliveryCount: 1 }, { name: 'two' }] }],
    });
    const client = bus.client();
    await client.createSender('t').sendMessages([{ body: 1 }, { body: 2 }]);
    const one = client.createReceiver('t', 'one');
    await one.abandonMessage(await receiveOne(one));
    expect(await receiveBodies(client.createReceiver('t', 'two'), 2)).toEqual([1, 2]);
    expect(await receiveBodies(client.createReceiver('t', 'one', { subQueueType: 'deadLetter' }), 1)).toEqual([1]);
    expect(bus.broker.queue('t/Subscriptions/one')).toMatchObject({ active: 1, deadLettered: 0 });
    expect(bus.broker.queue('t/subscriptions/two')).toMatchObject({ active: 0 });
  });

  it.concurrent('filter by correlation', async () => {
    await using bus = await startBus({
      topics: [
        {
          name: 't',
          subscriptions: [
            { name: 'subject', correlationFilter: { subject: 'wanted' } },
            {
              name: 'property',
              correlationFilter: { subject: 'wanted', applicationProperties: { region: 'north', level: 3 } },
            },
            { name: 'all' },
          ],
        },
      ],
    });
    await bus
      .client()
      .createSender('t')
      .sendMessages([
        { body: 1, subject: 'wanted' },
        { body: 2, subject: 'other', applicationProperties: { region: 'north', level: 3 } },
        { body: 3, subject: 'wanted', applicationProperties: { region: 'north', level: 3, more: true } },
        { body: 4, subject: 'wanted', applicationProperties: { region: 'north', level: 4 } },
        { body: 5 },
      ]);
    const bodies = (name: string) =>
      bus.broker
        .queue(`t/Subscriptions/${name}`)
        .messages()
        .map(({ body }) => body);
    expect(bodies('subject')).toEqual([1, 3, 4]);
    expect(bodies('property')).toEqual([3]);
    expect(bodies('all')).toEqual([1, 2, 3, 4, 5]);
  });

  it.concurrent('detect duplicates for all subscriptions', async () => {
    await using bus = await startBus({
      topics: [{ name: 't', requiresDuplicateDetection: true, subscriptions: [{ name: 'one' }] }],
    });
    const sender = bus.client().createSender('t');
    await sender.sendMessages([
      { body: 1, messageId: 'same' },
      { body: 2, messageId: 'same' },
    ]);
    expect(bus.broker.queue('t/Subscriptions/one').messages()).toMatchObject([{ body: 1 }]);
  });

  it.concurrent('keep sessions apart, and dead-letter what has none where one is needed', async () => {
    await using bus = await startBus({
      topics: [{ name: 't', subscriptions: [{ name: 'one', requiresSession: true }] }],
    });
    const client = bus.client();
    await client.createSender('t').sendMessages([{ body: 1, sessionId: 'a' }, { body: 2 }]);
    expect(await receiveBodies(await client.acceptNextSession('t', 'one'), 1)).toEqual([1]);
    expect(bus.broker.queue('t/Subscriptions/one').deadLetters()).toMatchObject([
      { body: 2, applicationProperties: { DeadLetterReason: 'Session ID is null.' } },
    ]);
  });

  it.concurrent('have no messages of their own, and subscriptions take none directly', async () => {
    await using bus = await startBus({ topics: [{ name: 't', subscriptions: [{ name: 'one' }] }] });
    await expect(bus.client().createReceiver('t').receiveMessages(1)).rejects.toThrow(/receive from a subscription/);
    await expect(bus.client().createReceiver('t').peekMessages(1)).rejects.toThrow(/not possible on a topic/);
    await expect(bus.client().createSender('t/Subscriptions/one').sendMessages({ body: 1 })).rejects.toThrow(
      /can't be sent/,
    );
    expect(await codeOf(bus.client().createReceiver('t', 'other').receiveMessages(1))).toBe('MessagingEntityNotFound');
  });
});
