import { describe, expect, it } from 'vitest';
import { createQueue } from '../../../../src/local/service-bus/engine/create-queue.ts';
import { queueSettings } from '../../../../src/local/service-bus/engine/options.ts';

const count = process.env['KEYFLEET_TEST_LONG'] === undefined ? 30_000 : 100_000;
/** With a scan for each operation it would take minutes. */
const limitMilliseconds = 25_000;

function filledQueue(sessions: number) {
  let now = 0;
  const queue = createQueue<undefined>(
    queueSettings({
      name: 'q',
      requiresSession: sessions > 0,
      lockDurationSeconds: 60,
      requiresDuplicateDetection: true,
      defaultMessageTimeToLiveSeconds: 86_400,
    }),
    () => new Date(now),
  );
  for (let index = 0; index < count; index++) {
    queue.enqueue({
      messageId: String(index),
      sessionId: sessions > 0 ? String(index % sessions) : undefined,
      timeToLiveMilliseconds: undefined,
      payload: undefined,
    });
  }
  return { queue, wait: (milliseconds: number) => void (now += milliseconds) };
}

describe(`with ${count} messages`, { timeout: limitMilliseconds }, () => {
  it('every message is received, renewed, abandoned, received again and completed', () => {
    const { queue } = filledQueue(0);
    const held: string[] = [];
    for (let index = 0; index < count; index++)
      held.push(queue.receive({ mode: 'peek-lock', session: undefined })?.lock?.token ?? '');
    for (const token of held) queue.renewLock(token);
    for (const token of held.toReversed()) queue.settle(token, { kind: 'abandon', properties: {} }, undefined);
    for (let index = 0; index < count; index++) {
      const message = queue.receive({ mode: 'peek-lock', session: undefined });
      if (message?.sequenceNumber !== index + 1)
        throw new Error(`expected message ${index + 1}, got ${message?.sequenceNumber}`);
      queue.settle(message.lock?.token ?? '', { kind: 'complete' }, undefined);
    }
    expect(queue.counts()).toEqual({ active: 0, scheduled: 0, deferred: 0, deadLettered: 0 });
    // Nothing is left to wait for: what is gone has taken its times along.
    expect(queue.nextDeadline()).toBeUndefined();
  });

  it('all locks run out at once', () => {
    const { queue, wait } = filledQueue(0);
    for (let index = 0; index < count; index++) queue.receive({ mode: 'peek-lock', session: undefined });
    expect(queue.hasReady(undefined)).toBe(false);
    wait(60_000);
    expect(queue.hasReady(undefined)).toBe(true);
    expect(queue.receive({ mode: 'peek-lock', session: undefined })).toMatchObject({
      sequenceNumber: 1,
      deliveryCount: 1,
    });
  });

  it('they are deferred and received by their numbers', () => {
    const { queue } = filledQueue(0);
    for (let index = 0; index < count; index++) {
      const message = queue.receive({ mode: 'peek-lock', session: undefined });
      queue.settle(message?.lock?.token ?? '', { kind: 'defer', properties: {} }, undefined);
    }
    for (let number = count; number > 0; number--)
      queue.receiveDeferred({ sequenceNumbers: [number], mode: 'receive-and-delete', session: undefined });
    expect(queue.counts()).toMatchObject({ deferred: 0 });
  });

  it('they are peeked at page by page, while half of them go', () => {
    const { queue } = filledQueue(0);
    for (let index = 0; index < count / 2; index++) queue.receive({ mode: 'receive-and-delete', session: undefined });
    let seen = 0;
    for (let from = 0; ;) {
      const page = queue.peek({ fromSequenceNumber: from, count: 10 });
      const last = page.at(-1);
      if (last === undefined) break;
      seen += page.length;
      from = last.sequenceNumber + 1;
    }
    expect(seen).toBe(count / 2);
  });

  it('thousands of sessions are accepted in turn and worked off', () => {
    const { queue } = filledQueue(count / 10);
    let sessions = 0;
    for (
      let lock = queue.acceptNextSession(() => undefined);
      lock !== undefined;
      lock = queue.acceptNextSession(() => undefined)
    ) {
      sessions++;
      for (
        let message = queue.receive({ mode: 'peek-lock', session: lock });
        message !== undefined;
        message = queue.receive({ mode: 'peek-lock', session: lock })
      ) {
        queue.settle(message.lock?.token ?? '', { kind: 'complete' }, lock);
      }
      queue.closeSession(lock);
    }
    expect(sessions).toBe(count / 10);
    expect(queue.counts().active).toBe(0);
    expect(queue.sessionIds(new Date(0))).toEqual([]);
  });

  it('they expire together', () => {
    const { queue, wait } = filledQueue(100);
    wait(86_400_000);
    expect(queue.counts()).toEqual({ active: 0, scheduled: 0, deferred: 0, deadLettered: 0 });
    expect(queue.hasWaitingSession()).toBe(false);
  });
});
