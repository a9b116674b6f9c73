import type { ServiceBusClient, ServiceBusSessionReceiver } from '@azure/service-bus';
import { describe, expect, it } from 'vitest';
import { codeOf, receiveBodies, receiveOne, sleep, startBus, until } from './harness.ts';

const withoutRenewal = { maxAutoLockRenewalDurationInMs: 0 };

async function startSessions(lockDurationSeconds = 30) {
  const bus = await startBus({
    queues: [{ name: 's', requiresSession: true, lockDurationSeconds, maxDeliveryCount: 3 }],
  });
  const queue = bus.broker.queue('s');
  const client = bus.client();
  const sender = client.createSender('s');
  const send = (sessionId: string, ...bodies: unknown[]) =>
    sender.sendMessages(bodies.map((body) => ({ body, sessionId })));
  return { ...bus, queue, connection: client, send };
}

describe.concurrent('accepting a session', () => {
  it.concurrent('by its id gives that session and its lock', async () => {
    await using bus = await startSessions();
    const { connection, send } = bus;
    await send('a', 1);
    await send('b', 2);
    const receiver = await connection.acceptSession('s', 'b');
    expect(receiver.sessionId).toBe('b');
    const milliseconds = receiver.sessionLockedUntilUtc.getTime() - Date.now();
    expect(milliseconds).toBeGreaterThan(25_000);
    expect(milliseconds).toBeLessThanOrEqual(30_000);
    const message = await receiveOne(receiver);
    expect(message).toMatchObject({ body: 2, sessionId: 'b' });
    expect(message.lockedUntilUtc).toEqual(receiver.sessionLockedUntilUtc);
  });

  it.concurrent('is possible before it has messages', async () => {
    await using bus = await startSessions();
    const receiver = await bus.connection.acceptSession('s', 'later');
    await bus.send('later', 1);
    expect((await receiveOne(receiver)).body).toBe(1);
  });

  it.concurrent('is refused while somebody else holds it', async () => {
    await using bus = await startSessions();
    await bus.send('a', 1);
    const holder = await bus.connection.acceptSession('s', 'a');
    expect(await codeOf(bus.client().acceptSession('s', 'a'))).toBe('SessionCannotBeLocked');
    await holder.close();
    expect((await bus.client().acceptSession('s', 'a')).sessionId).toBe('a');
  });

  it.concurrent('takes the next free one that has messages, each only once', async () => {
    await using bus = await startSessions();
    await bus.send('a', 1);
    await bus.send('b', 2);
    await bus.connection.acceptSession('s', 'empty');
    const first = await bus.connection.acceptNextSession('s');
    const second = await bus.connection.acceptNextSession('s');
    expect([first.sessionId, second.sessionId]).toEqual(['a', 'b']);
    expect(await codeOf(bus.client({ retryOptions: { timeoutInMs: 300, maxRetries: 0 } }).acceptNextSession('s'))).toBe(
      'ServiceTimeout',
    );
  });

  it.concurrent('waits for a session to come up', async () => {
    await using bus = await startSessions();
    const waiting = bus.connection.acceptNextSession('s');
    await sleep(300);
    await bus.send('late', 1);
    const receiver = await waiting;
    expect(receiver.sessionId).toBe('late');
    expect((await receiveOne(receiver)).body).toBe(1);
  });

  it.concurrent('serves those who wait in turn', async () => {
    await using bus = await startSessions();
    const waiting = [bus.client(), bus.client(), bus.client()].map((client) => client.acceptNextSession('s'));
    await sleep(300);
    for (const id of ['x', 'y', 'z']) await bus.send(id, id);
    const sessions = await Promise.all(waiting);
    expect(sessions.map(({ sessionId }) => sessionId).sort()).toEqual(['x', 'y', 'z']);
  });

  it.concurrent('gives up with ServiceTimeout when none comes, and nothing is left behind', async () => {
    await using bus = await startSessions();
    const impatient = bus.client({ retryOptions: { timeoutInMs: 400, maxRetries: 0 } });
    const started = Date.now();
    expect(await codeOf(impatient.acceptNextSession('s'))).toBe('ServiceTimeout');
    expect(Date.now() - started).toBeGreaterThan(300);
    await bus.send('a', 1);
    // Had the waiting link stayed, it would have taken the session.
    expect((await bus.connection.acceptNextSession('s')).sessionId).toBe('a');
  });

  it.concurrent('is refused on an entity without sessions, and required on one with them', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }, { name: 's', requiresSession: true }] });
    await expect(bus.client().acceptSession('q', 'a')).rejects.toThrow(/does not require sessions/);
    await expect(bus.client().createReceiver('s').receiveMessages(1)).rejects.toThrow(/requires sessions/);
  });
});

describe.concurrent('within a session', () => {
  it.concurrent('messages come in order, an abandoned one before those after it', async () => {
    await using bus = await startSessions();
    await bus.send('a', 1, 2, 3);
    await bus.send('b', 'other');
    const receiver = await bus.connection.acceptSession('s', 'a');
    const first = await receiveOne(receiver);
    await receiver.abandonMessage(first, { again: true });
    const again = await receiveOne(receiver);
    expect(again).toMatchObject({ body: 1, deliveryCount: 1, applicationProperties: { again: true } });
    await receiver.completeMessage(again);
    expect(await receiveBodies(receiver, 2)).toEqual([2, 3]);
    expect(bus.queue.messages().map(({ body }) => body)).toEqual(['other']);
  });

  it.concurrent('too many deliveries lead to the dead letters, which have no sessions', async () => {
    await using bus = await startSessions();
    await bus.send('a', 1, 2);
    const receiver = await bus.connection.acceptSession('s', 'a');
    for (let delivery = 0; delivery < 3; delivery++) await receiver.abandonMessage(await receiveOne(receiver));
    expect((await receiveOne(receiver)).body).toBe(2);
    const dead = await receiveOne(bus.connection.createReceiver('s', { subQueueType: 'deadLetter' }));
    expect(dead).toMatchObject({ body: 1, sessionId: 'a', deadLetterReason: 'MaxDeliveryCountExceeded' });
  });

  it.concurrent('deferring, dead-lettering, peeking and deleting work', async () => {
    await using bus = await startSessions();
    await bus.send('b', 'other');
    await bus.send('a', 1, 2, 3);
    const receiver = await bus.connection.acceptSession('s', 'a');
    const deferred = await receiveOne(receiver);
    await receiver.deferMessage(deferred);
    await receiver.deadLetterMessage(await receiveOne(receiver), {
      deadLetterReason: 'why',
      deadLetterErrorDescription: 'because',
    });
    expect((await receiver.peekMessages(10)).map(({ body, state }): unknown[] => [body, state])).toEqual([
      [1, 'deferred'],
      [3, 'active'],
    ]);
    const [message] = await receiver.receiveDeferredMessages(deferred.sequenceNumber ?? []);
    if (message === undefined) throw new Error('one message was deferred');
    await receiver.completeMessage(message);
    await receiver.close();
    const deleting = await bus.connection.acceptSession('s', 'a', { receiveMode: 'receiveAndDelete' });
    expect(await receiveBodies(deleting, 1)).toEqual([3]);
    expect(bus.queue.deadLetters()).toMatchObject([{ body: 2, applicationProperties: { DeadLetterReason: 'why' } }]);
    expect(bus.queue.messages().map(({ body }) => body)).toEqual(['other']);
  });

  it.concurrent('deferred messages of another session cannot be had', async () => {
    await using bus = await startSessions();
    await bus.send('a', 1);
    const receiver = await bus.connection.acceptSession('s', 'a');
    const message = await receiveOne(receiver);
    await receiver.deferMessage(message);
    const other = await bus.connection.acceptSession('s', 'b');
    expect(await codeOf(other.receiveDeferredMessages(message.sequenceNumber ?? []))).toBe('MessageNotFound');
  });

  it.concurrent('state is kept with the session, also without messages, and can be removed', async () => {
    await using bus = await startSessions();
    const receiver = await bus.connection.acceptSession('s', 'a');
    expect(await receiver.getSessionState()).toBeNull();
    await receiver.setSessionState({ step: 2 });
    await receiver.close();
    const again = await bus.client().acceptSession('s', 'a');
    expect(await again.getSessionState()).toEqual({ step: 2 });
    await again.setSessionState(null);
    expect(await again.getSessionState()).toBeNull();
  });

  it.concurrent('many sessions are worked off in order by several receivers at once', async () => {
    await using bus = await startSessions();
    const ids = Array.from({ length: 50 }, (_, index) => `session-${index}`);
    await bus.connection
      .createSender('s')
      .sendMessages([1, 2, 3].flatMap((body) => ids.map((sessionId) => ({ body, sessionId }))));
    const seen = new Map<string, unknown[]>();
    const work = async (client: ServiceBusClient) => {
      while (bus.queue.active > 0) {
        let receiver: ServiceBusSessionReceiver;
        try {
          receiver = await client.acceptNextSession('s');
        } catch {
          return;
        }
        const bodies = await receiveBodies(receiver, 3);
        seen.set(receiver.sessionId, [...(seen.get(receiver.sessionId) ?? []), ...bodies]);
        await receiver.close();
      }
    };
    const clients = Array.from({ length: 4 }, () => bus.client({ retryOptions: { timeoutInMs: 500, maxRetries: 0 } }));
    await Promise.all(clients.map(work));
    expect(seen.size).toBe(50);
    for (const bodies of seen.values()) expect(bodies).toEqual([1, 2, 3]);
  });

  it.concurrent('a subscription gets its messages one after the other', async () => {
    await using bus = await startSessions();
    const bodies = Array.from({ length: 20 }, (_, index) => index);
    await bus.send('a', ...bodies);
    const seen: unknown[] = [];
    let running = 0;
    let most = 0;
    const receiver = await bus.connection.acceptSession('s', 'a');
    receiver.subscribe({
      async processMessage({ body }) {
        most = Math.max(most, ++running);
        await sleep(1);
        seen.push(body);
        running--;
      },
      processError: async () => undefined,
    });
    await until(() => bus.queue.active === 0);
    expect(seen).toEqual(bodies);
    expect(most).toBe(1);
  });
});

describe.concurrent('the lock of a session', () => {
  it.concurrent('runs out: settling fails, and the next holder gets the message, counted', async () => {
    await using bus = await startSessions(1.2);
    await bus.send('a', 1, 2);
    const receiver = await bus.connection.acceptSession('s', 'a', withoutRenewal);
    const message = await receiveOne(receiver);
    expect(bus.queue.messages()).toMatchObject([{ locked: true }, { locked: false }]);
    await until(() => bus.queue.messages().every(({ locked }) => !locked));
    expect(Date.now()).toBeGreaterThanOrEqual(receiver.sessionLockedUntilUtc.getTime());
    // A settlement that crosses the broker's detach on its way would be left without an answer by the client.
    await sleep(100);
    expect(await codeOf(receiver.completeMessage(message))).toBe('SessionLockLost');
    const next = await bus.connection.acceptNextSession('s', withoutRenewal);
    expect(next.sessionId).toBe('a');
    const [first, second] = await next.receiveMessages(2, { maxWaitTimeInMs: 300 });
    expect(first).toMatchObject({ body: 1, deliveryCount: 1 });
    // Only what had been delivered counts as delivered.
    expect(second).toMatchObject({ body: 2, deliveryCount: 0 });
  });

  it.concurrent('tells its holder when it is gone', async () => {
    await using bus = await startSessions(0.4);
    const receiver = await bus.connection.acceptSession('s', 'a', withoutRenewal);
    const codes: unknown[] = [];
    receiver.subscribe({
      processMessage: async () => undefined,
      processError: async ({ error }) => void codes.push((error as { code?: unknown }).code),
    });
    await until(() => codes.length > 0);
    expect(codes[0]).toBe('SessionLockLost');
  });

  it.concurrent('can be renewed while it lasts, and not afterwards', async () => {
    await using bus = await startSessions(1.2);
    await bus.send('a', 1);
    const receiver = await bus.connection.acceptSession('s', 'a', withoutRenewal);
    const message = await receiveOne(receiver);
    const first = receiver.sessionLockedUntilUtc.getTime();
    while (Date.now() < first + 200) {
      const lockedUntil = await receiver.renewSessionLock();
      expect(lockedUntil).toEqual(receiver.sessionLockedUntilUtc);
      expect(lockedUntil.getTime()).toBeGreaterThan(Date.now() + 500);
      await sleep(100);
    }
    await receiver.completeMessage(message);
    await until(() => Date.now() > receiver.sessionLockedUntilUtc.getTime() + 50);
    expect(await codeOf(receiver.renewSessionLock())).toBe('SessionLockLost');
    expect(await codeOf(receiver.setSessionState('late'))).toBe('SessionLockLost');
  });

  it.concurrent('cannot be renewed by a holder who has lost it to another one', async () => {
    await using bus = await startSessions(0.4);
    const former = await bus.connection.acceptSession('s', 'a', withoutRenewal);
    await until(() => Date.now() > former.sessionLockedUntilUtc.getTime() + 50);
    const holder = await bus.client().acceptSession('s', 'a');
    expect(await codeOf(former.renewSessionLock())).toBe('SessionLockLost');
    expect(await codeOf(former.setSessionState('from the former one'))).toBe('SessionLockLost');
    expect(await holder.getSessionState()).toBeNull();
  });

  it.concurrent('is renewed by the receiver itself', async () => {
    await using bus = await startSessions(1);
    await bus.send('a', 1);
    const receiver = await bus.connection.acceptSession('s', 'a');
    const message = await receiveOne(receiver);
    const first = receiver.sessionLockedUntilUtc.getTime();
    await until(() => Date.now() > first + 200);
    await receiver.completeMessage(message);
    expect(bus.queue.active).toBe(0);
  });

  it.concurrent('ends with the receiver; what it had not settled comes again, uncounted', async () => {
    await using bus = await startSessions();
    await bus.send('a', 1);
    const receiver = await bus.connection.acceptSession('s', 'a');
    await receiveOne(receiver);
    await receiver.close();
    const next = await bus.client().acceptNextSession('s');
    expect(await receiveOne(next)).toMatchObject({ body: 1, deliveryCount: 0 });
  });

  it.concurrent('ends with the connection', async () => {
    await using bus = await startSessions();
    await bus.send('a', 1);
    const lost = bus.client();
    await receiveOne(await lost.acceptSession('s', 'a'));
    await lost.close();
    expect((await bus.client().acceptNextSession('s')).sessionId).toBe('a');
  });
});
