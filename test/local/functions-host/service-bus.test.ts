import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningApp, startApp } from './support/app.ts';
import { startTestBus, type TestBus } from './support/service-bus.ts';

interface Delivery {
  start?: number;
  end?: number;
  isBytes?: boolean;
  message: unknown;
  triggerMetadata: Record<string, unknown>;
  retryContext?: unknown;
}

let bus: TestBus;
let app: RunningApp;

const recordsOf = (name: string): Delivery[] =>
  app.messages(`Function.${name}.User`).map((message) => JSON.parse(message) as Delivery);

/** Waits for so many starts beyond the first `skip`. */
async function deliveries(name: string, count: number, skip = 0): Promise<Delivery[]> {
  const starts = (): Delivery[] => recordsOf(name).filter(({ start }) => start !== undefined);
  await app.line(() => starts().length >= skip + count);
  return starts().slice(skip, skip + count);
}

async function settled(queue: string, state: { active: number; deadLettered?: number }): Promise<void> {
  await expect.poll(() => bus.broker.queue(queue).active, { timeout: 5000 }).toBe(state.active);
  expect(bus.broker.queue(queue).deadLettered).toBe(state.deadLettered ?? 0);
}

/** Sends one message and returns what the function got. */
async function roundTrip(body: unknown, name = 'plain'): Promise<Delivery> {
  const before = recordsOf(name).filter(({ start }) => start !== undefined).length;
  await bus.send(name, { body });
  const [delivery] = await deliveries(name, 1, before);
  return delivery as Delivery;
}

beforeAll(async () => {
  bus = await startTestBus(
    [
      { name: 'plain', maxDeliveryCount: 3 },
      { name: 'binary' },
      { name: 'sessions', requiresSession: true, lockDurationSeconds: 1, maxDeliveryCount: 5 },
      { name: 'unsettled', lockDurationSeconds: 0.7 },
      { name: 'tight', lockDurationSeconds: 1 },
    ],
    [{ name: 'topic', subscriptions: [{ name: 'subscription' }] }],
  );
  app = await startApp({
    app: 'receiving',
    hostJson: {
      extensions: {
        serviceBus: {
          maxConcurrentCalls: 2,
          maxConcurrentSessions: 2,
          sessionIdleTimeout: '00:00:01',
          maxAutoLockRenewalDuration: '00:00:02',
        },
      },
    },
    host: {
      settings: { Bus__fullyQualifiedNamespace: bus.namespace, PLAIN: 'plain', SUBSCRIPTION: 'subscription' },
      serviceBusCredential: bus.credential,
    },
  });
});

afterAll(async () => {
  await app.host.stop();
  await bus.stop();
});

describe('the message', () => {
  beforeAll(async () => {
    // Its second delivery is waited for further down.
    await bus.send('unsettled', { body: 'x' });
  });

  it.each([
    ['an object', { a: [1, null] }, { a: [1, null] }],
    ['the text 123', Buffer.from('123'), 123],
    ['the text true', Buffer.from('true'), true],
    ['the text null', Buffer.from('null'), null],
    ['other text', Buffer.from('just text'), 'just text'],
    ['bytes that are no UTF-8', Buffer.from([0xff, 0x41]), '\uFFFDA'],
    ['nothing', Buffer.alloc(0), ''],
  ])('is parsed as JSON, or else a string: %s', async (_, body, received) => {
    expect((await roundTrip(body)).message).toEqual(received);
  });

  it('is parsed whatever its type says', async () => {
    const before = recordsOf('plain').filter(({ start }) => start !== undefined).length;
    await bus.send('plain', { body: Buffer.from('{"a":1}'), contentType: 'text/plain' });
    expect((await deliveries('plain', 1, before))[0]?.message).toEqual({ a: 1 });
  });

  it('is a Buffer with dataType binary', async () => {
    const delivery = await roundTrip(Buffer.from([0xff, 0x00]), 'binary');
    expect(delivery).toMatchObject({ isBytes: true, message: 'ff00' });
  });
});

describe('the metadata', () => {
  it("are the message's", async () => {
    const before = recordsOf('plain').filter(({ start }) => start !== undefined).length;
    await bus.send('plain', {
      body: 'x',
      messageId: 'm-1',
      subject: 'label',
      correlationId: 'c',
      replyTo: 'r',
      contentType: 'text/x',
      applicationProperties: { own: 1 },
      timeToLive: 60_000,
    });
    const [delivery] = await deliveries('plain', 1, before);
    expect(delivery?.triggerMetadata).toEqual({
      deliveryCount: 1,
      lockToken: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) as string,
      expiresAtUtc: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      enqueuedTimeUtc: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      messageId: 'm-1',
      contentType: 'text/x',
      replyTo: 'r',
      sequenceNumber: expect.any(Number) as number,
      label: 'label',
      correlationId: 'c',
      userProperties: { own: 1 },
    });
    expect(delivery?.retryContext).toBeUndefined();
  });

  it('are overwritten by the top-level fields of a JSON body', async () => {
    const { triggerMetadata } = await roundTrip({ messageId: 'spoofed', DeliveryCount: 9, extra: { a: 1 } });
    expect(triggerMetadata).toMatchObject({ messageId: 'spoofed', deliveryCount: 9, extra: { a: 1 } });
  });

  it('turn the message id "42" into a number', async () => {
    const before = recordsOf('plain').filter(({ start }) => start !== undefined).length;
    await bus.send('plain', { body: 'x', messageId: '42' });
    expect((await deliveries('plain', 1, before))[0]?.triggerMetadata['messageId']).toBe(42);
  });

  it('say never as .NET does when the message does not expire', async () => {
    expect((await roundTrip('x')).triggerMetadata['expiresAtUtc']).toBe('9999-12-31T23:59:59.9999999Z');
  });
});

describe('a topic', () => {
  it('is listened to through a subscription', async () => {
    await bus.send('topic', { body: { a: 1 } });
    expect((await deliveries('subscribed', 1))[0]?.message).toEqual({ a: 1 });
    await settled('topic/Subscriptions/subscription', { active: 0 });
  });
});

describe('settling', () => {
  it('completes on return, abandons on throw', async () => {
    await settled('plain', { active: 0 });
    const before = recordsOf('plain').filter(({ start }) => start !== undefined).length;
    await bus.send('plain', { body: { failBefore: 3 } });
    const three = await deliveries('plain', 3, before);
    expect(three.map(({ triggerMetadata }) => triggerMetadata['deliveryCount'])).toEqual([1, 2, 3]);
    await settled('plain', { active: 0 });
  });

  it('ends in the dead letters after as many throws as deliveries are allowed', async () => {
    await bus.send('plain', { body: { failBefore: 99 } });
    await expect.poll(() => bus.broker.queue('plain').deadLettered, { timeout: 5000 }).toBe(1);
  });

  it('is left to the app without autoComplete: the lock runs out and the message comes again', async () => {
    const twice = await deliveries('unsettled', 2);
    expect(twice.map(({ triggerMetadata }) => triggerMetadata['deliveryCount'])).toEqual([1, 2]);
    expect((twice[1]?.start ?? 0) - (twice[0]?.start ?? 0)).toBeGreaterThan(600);
  });
});

/** @returns the most runs at once */
function mostAtOnce(records: readonly Delivery[]): number {
  const edges = records.map((record) => (record.start !== undefined ? 1 : -1));
  let running = 0;
  return Math.max(...edges.map((edge) => (running += edge)));
}

describe('concurrency', () => {
  it('is maxConcurrentCalls for a queue', async () => {
    await bus.send(
      'tight',
      Array.from({ length: 6 }, (_, n) => ({ body: { n, waitMilliseconds: 100 } })),
    );
    await app.line(() => recordsOf('tight').filter(({ end }) => end !== undefined).length === 6);
    expect(mostAtOnce(recordsOf('tight'))).toBe(2);
  });

  it('is one message at a time in a session, in order, and maxConcurrentSessions sessions', async () => {
    const ids = ['a', 'b', 'c'];
    for (const id of ids) {
      await bus.send(
        'sessions',
        [1, 2, 3].map((n) => ({ body: { id, n, waitMilliseconds: 60 }, sessionId: id })),
      );
    }
    await app.line(() => recordsOf('sessions').filter(({ end }) => end !== undefined).length === 9);
    const records = recordsOf('sessions') as (Delivery & { message: { id: string; n: number } })[];
    expect(mostAtOnce(records)).toBe(2);
    for (const id of ids) {
      const own = records.filter(({ message }) => message.id === id);
      expect(own.map(({ message, start }) => [message.n, start !== undefined])).toEqual(
        [1, 2, 3].flatMap((n) => [
          [n, true],
          [n, false],
        ]),
      );
    }
    await settled('sessions', { active: 0 });
  });

  it('gives a session back when it stays empty, and finds it again', async () => {
    const before = recordsOf('sessions').filter(({ start }) => start !== undefined).length;
    await bus.send('sessions', { body: 'later', sessionId: 'a' });
    expect((await deliveries('sessions', 1, before))[0]?.message).toBe('later');
  });

  it('redelivers in a session before anything that follows', async () => {
    const before = recordsOf('sessions').filter(({ start }) => start !== undefined).length;
    await bus.send('sessions', [
      { body: { n: 1, failBefore: 2 }, sessionId: 'retry' },
      { body: { n: 2 }, sessionId: 'retry' },
    ]);
    const three = await deliveries('sessions', 3, before);
    expect(three.map(({ message }) => (message as { n: number }).n)).toEqual([1, 1, 2]);
    await settled('sessions', { active: 0 });
  });
});

describe('locks', () => {
  it('are renewed while a function runs, of a message and of a session', async () => {
    const queue = recordsOf('tight').length;
    const session = recordsOf('sessions').length;
    await bus.send('tight', { body: { waitMilliseconds: 1600 } });
    await bus.send('sessions', { body: { waitMilliseconds: 1600 }, sessionId: 'long' });
    await app.line(() => recordsOf('tight').length === queue + 2 && recordsOf('sessions').length === session + 2);
    await settled('tight', { active: 0 });
    await settled('sessions', { active: 0 });
    expect(app.messages('Host.ServiceBus')).toEqual([]);
    expect(recordsOf('tight')).toHaveLength(queue + 2);
    expect(recordsOf('sessions')).toHaveLength(session + 2);
  });

  it('of a session are renewed although one renewal failed', async () => {
    const before = recordsOf('sessions').length;
    bus.faults.add({ service: 'service-bus', operation: 'renewSessionLock', times: 1, fault: { kind: 'throttle' } });
    await bus.send('sessions', { body: { waitMilliseconds: 1600 }, sessionId: 'unlucky' });
    await app.line(() => recordsOf('sessions').length === before + 2);
    await settled('sessions', { active: 0 });
    expect(bus.faults.log).toHaveLength(1);
    expect(app.messages('Host.ServiceBus').filter((line) => line.includes('unlucky'))).toEqual([]);
    expect(recordsOf('sessions')).toHaveLength(before + 2);
  });
});

describe('stopping the host', () => {
  it('finishes and settles what runs, takes nothing more, and is quick', async () => {
    await bus.send(
      'tight',
      Array.from({ length: 5 }, (_, n) => ({ body: { n, stop: true, waitMilliseconds: 300 } })),
    );
    await app.line(
      () => app.messages('Function.tight.User').filter((line) => /"start".*"stop"/.test(line)).length === 2,
    );
    const started = performance.now();
    await app.host.stop();
    expect(performance.now() - started).toBeLessThan(2000);
    expect(
      bus.broker
        .queue('tight')
        .messages()
        .map(({ deliveryCount }) => deliveryCount),
    ).toEqual([0, 0, 0]);
    expect(app.lines.filter(({ category }) => category === 'Host.ServiceBus')).toEqual([]);
  });
});
