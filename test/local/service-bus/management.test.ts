import { once } from 'node:events';
import rhea from 'rhea';
import type { Message } from 'rhea';
import { describe, expect, it } from 'vitest';
import { sleep } from './harness.ts';
import { lockTokenBytes, lockTokens, peekLockReceiver, startRaw } from './raw-bus.ts';
import { statusOf } from './raw-client.ts';

const { types } = rhea;

describe.concurrent('management', () => {
  async function managed(queue: Parameters<typeof startRaw>[0] = {}) {
    const bus = await startRaw(queue);
    await bus.raw.putToken('q/$management');
    return bus;
  }

  it.concurrent('peeks: 204 for nothing, else messages with their state', async () => {
    await using bus = await managed();
    const peek = () =>
      bus.raw.manage('q', 'peek-message', {
        'from-sequence-number': types.wrap_long(1),
        'message-count': types.wrap_int(5),
      });
    expect(statusOf(await peek()).code).toBe(204);
    await bus
      .client()
      .createSender('q')
      .scheduleMessages({ body: 1 }, new Date(Date.now() + 60_000));
    const reply = await peek();
    expect(statusOf(reply).code).toBe(200);
    const [entry] = (reply.body as { messages: { message: Buffer }[] }).messages;
    const message = rhea.message.decode(entry?.message ?? Buffer.alloc(0));
    expect(message['message_annotations']).toMatchObject({ 'x-opt-message-state': 2, 'x-opt-sequence-number': 1 });
  });

  it.concurrent('schedules and cancels by longs', async () => {
    await using bus = await managed();
    const message = rhea.message.encode({
      message_annotations: { 'x-opt-scheduled-enqueue-time': new Date(Date.now() + 60_000) },
      body: 'later',
    });
    const reply = await bus.raw.manage('q', 'schedule-message', { messages: [{ message, 'message-id': 'id' }] });
    expect((reply.body as Record<string, unknown>)['sequence-numbers']).toEqual([1]);
    const cancel = () =>
      bus.raw.manage('q', 'cancel-scheduled-message', { 'sequence-numbers': types.wrap_array([1], 0x81, undefined) });
    expect(statusOf(await cancel()).code).toBe(200);
    expect(statusOf(await cancel())).toEqual({ code: 404, condition: 'com.microsoft:message-not-found' });
    const undated = rhea.message.encode({ body: 'when?' });
    expect(statusOf(await bus.raw.manage('q', 'schedule-message', { messages: [{ message: undated }] })).code).toBe(
      400,
    );
    expect(
      statusOf(await bus.raw.manage('q', 'schedule-message', { messages: [{ message: Buffer.from('?') }] })).code,
    ).toBe(400);
  });

  it.concurrent('settles by token, with every status of the protocol', async () => {
    await using bus = await managed({ lockDurationSeconds: 30 });
    await bus
      .client()
      .createSender('q')
      .sendMessages([1, 2, 3, 4].map((body) => ({ body })));
    const { next } = await peekLockReceiver(bus.raw);
    for (const status of ['completed', 'abandoned', 'defered', 'suspended']) {
      const token = lockTokenBytes((await next()).delivery);
      const reply = await bus.raw.manage('q', 'update-disposition', {
        'lock-tokens': lockTokens(token),
        'disposition-status': status,
        'deadletter-reason': 'reason',
      });
      expect(statusOf(reply).code).toBe(200);
      // The abandoned one must not be the next to come.
      if (status === 'abandoned') await next();
      const again = await bus.raw.manage('q', 'update-disposition', {
        'lock-tokens': lockTokens(token),
        'disposition-status': status,
      });
      expect(statusOf(again)).toEqual({ code: 410, condition: 'com.microsoft:message-lock-lost' });
    }
    expect(bus.queue).toMatchObject({ active: 1, deferred: 1, deadLettered: 1 });
    expect(bus.queue.deadLetters()).toMatchObject([{ applicationProperties: { DeadLetterReason: 'reason' } }]);
  });

  it.concurrent('lists sessions by their last change, page by page', async () => {
    await using bus = await managed({ requiresSession: true });
    const before = new Date();
    await bus
      .client()
      .createSender('q')
      .sendMessages(['a', 'b', 'c'].map((sessionId) => ({ body: 1, sessionId })));
    const list = (since: Date, skip: number, top: number) =>
      bus.raw.manage('q', 'get-message-sessions', {
        'last-updated-time': since,
        skip: types.wrap_int(skip),
        top: types.wrap_int(top),
      });
    const ids = (reply: Message) => (reply.body as Record<string, unknown>)['sessions-ids'];
    expect(ids(await list(before, 0, 10))).toEqual(['a', 'b', 'c']);
    expect(ids(await list(before, 1, 1))).toEqual(['b']);
    expect(statusOf(await list(before, 3, 1)).code).toBe(204);
    expect(statusOf(await list(new Date(Date.now() + 60_000), 0, 10)).code).toBe(204);
    await sleep(5);
    const between = new Date();
    await bus.client().createSender('q').sendMessages({ body: 2, sessionId: 'b' });
    expect(ids(await list(between, 0, 10))).toEqual(['b']);
  });

  it.concurrent('needs the lock of a session to renew it or to set its state', async () => {
    await using bus = await managed({ requiresSession: true });
    for (const operation of ['renew-session-lock', 'set-session-state']) {
      const reply = await bus.raw.manage('q', operation, { 'session-id': 'a', 'session-state': Buffer.from('x') });
      expect(statusOf(reply)).toEqual({ code: 410, condition: 'com.microsoft:session-lock-lost' });
    }
    expect((await bus.raw.manage('q', 'get-session-state', { 'session-id': 'a' })).body).toEqual({
      'session-state': null,
    });
  });

  it.concurrent('does nothing to a session for a link that no longer holds it', async () => {
    await using bus = await managed({ requiresSession: true });
    const accept = (name: string) =>
      bus.raw.receiver({ name, source: { address: 'q', filter: { 'com.microsoft:session-filter': 'a' } } as never });
    const former = await accept('former');
    const closed = once(former, 'receiver_close');
    former.close();
    await closed;
    await accept('present');
    const renew = async (link: string) =>
      statusOf(
        await bus.raw.manage('q', 'renew-session-lock', { 'session-id': 'a' }, { 'associated-link-name': link }),
      );
    expect(await renew('former')).toEqual({ code: 410, condition: 'com.microsoft:session-lock-lost' });
    expect((await renew('present')).code).toBe(200);
  });

  it.concurrent('settles nothing of one session under the lock of another', async () => {
    await using bus = await managed({ requiresSession: true });
    await bus.client().createSender('q').sendMessages({ body: 1, sessionId: 'a' });
    const of = (id: string) => ({ source: { address: 'q', filter: { 'com.microsoft:session-filter': id } } });
    const { next } = await peekLockReceiver(bus.raw, of('a'));
    await peekLockReceiver(bus.raw, of('b'));
    const token = lockTokenBytes((await next()).delivery);
    const complete = (sessionId: string) =>
      bus.raw.manage('q', 'update-disposition', {
        'lock-tokens': lockTokens(token),
        'disposition-status': 'completed',
        'session-id': sessionId,
      });
    expect(statusOf(await complete('b'))).toEqual({ code: 410, condition: 'com.microsoft:message-lock-lost' });
    expect(statusOf(await complete('a')).code).toBe(200);
    expect(bus.queue.active).toBe(0);
  });

  it.concurrent('refuses to renew the locks of single messages of a session', async () => {
    await using bus = await managed({ requiresSession: true });
    const reply = await bus.raw.manage('q', 'renew-lock', {
      'lock-tokens': lockTokens(Buffer.alloc(16)),
    });
    expect(statusOf(reply)).toEqual({ code: 400, condition: 'amqp:not-allowed' });
  });

  it.concurrent('says what it does not understand', async () => {
    await using bus = await managed();
    expect(statusOf(await bus.raw.manage('q', 'no-such-operation', {}))).toEqual({
      code: 501,
      condition: 'amqp:not-implemented',
    });
    expect(statusOf(await bus.raw.manage('q', 'add-rule', {})).code).toBe(501);
    for (const [operation, body] of [
      ['renew-lock', {}],
      ['renew-lock', { 'lock-tokens': ['text'] }],
      ['peek-message', { 'from-sequence-number': 1 }],
      ['receive-by-sequence-number', { 'sequence-numbers': ['text'] }],
      ['update-disposition', { 'lock-tokens': [], 'disposition-status': 'sideways' }],
      ['schedule-message', 'no map at all'],
    ] as const) {
      expect(statusOf(await bus.raw.manage('q', operation, body)), operation).toMatchObject({ code: 400 });
    }
  });
});
