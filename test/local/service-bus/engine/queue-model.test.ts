import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createQueue } from '../../../../src/local/service-bus/engine/create-queue.ts';
import type { QueuedMessage, SessionLock, Settlement } from '../../../../src/local/service-bus/engine/message.ts';
import { queueSettings } from '../../../../src/local/service-bus/engine/options.ts';
import { Refusal } from '../../../../src/local/service-bus/engine/refusal.ts';
import { expectAgreement, historyWith } from './histories.ts';
import type { Subject } from './histories.ts';
import type { ModelSettings, Received, SettlementKind } from './model.ts';

const runs = process.env['KEYFLEET_TEST_LONG'] === undefined ? 300 : 2000;
const seed = Number(process.env['KEYFLEET_TEST_SEED'] ?? Date.now() % 2 ** 31);

const history = historyWith(['complete', 'complete', 'abandon', 'abandon', 'defer', 'dead-letter', 'release']);

const baseSettings: ModelSettings = {
  requiresSession: true,
  lockMilliseconds: 300,
  maxDeliveryCount: 3,
  duplicateWindowMilliseconds: 400,
  deadLetterExpired: true,
};

it.each([
  ['with sessions', baseSettings],
  ['without sessions', { ...baseSettings, requiresSession: false }],
  ['dropping what expires', { ...baseSettings, deadLetterExpired: false, maxDeliveryCount: 1 }],
])(`agrees with the plain model in ${runs} histories %s`, async (name, settings) => {
  console.log(`queue ${name}: seed ${seed}`);
  await fc.assert(
    fc.asyncProperty(history, async (steps) => expectAgreement(engineSubject(settings), settings, steps)),
    { numRuns: runs, seed },
  );
});

it('would notice a queue that forgets to count deliveries', async () => {
  const settings = { ...baseSettings, requiresSession: false };
  const check = fc.check(
    fc.asyncProperty(history, async (steps) => {
      const subject = engineSubject(settings);
      const forgetful = {
        ...subject,
        settle: (delivery: number, kind: SettlementKind) =>
          subject.settle(delivery, kind === 'abandon' ? 'release' : kind),
      };
      await expectAgreement(forgetful, settings, steps);
    }),
    { numRuns: runs, seed },
  );
  expect((await check).failed).toBe(true);
});

function engineSubject(settings: ModelSettings): Subject {
  const started = Date.UTC(2026, 0, 1);
  let now = started;
  const queue = createQueue<undefined>(
    queueSettings({
      name: 'q',
      requiresSession: settings.requiresSession,
      lockDurationSeconds: settings.lockMilliseconds / 1000,
      maxDeliveryCount: settings.maxDeliveryCount,
      requiresDuplicateDetection: true,
      duplicateDetectionHistoryTimeWindowSeconds: settings.duplicateWindowMilliseconds / 1000,
      deadLetteringOnMessageExpiration: settings.deadLetterExpired,
    }),
    () => new Date(now),
  );
  const locks = new Map<number, SessionLock>();
  const deliveries: { token: string; session: SessionLock | undefined }[] = [];

  async function answer<Result>(operation: () => Result): Promise<Result | string> {
    try {
      return operation();
    } catch (error) {
      if (error instanceof Refusal) return error.code;
      throw error;
    }
  }

  function noted(message: QueuedMessage<undefined>, session: SessionLock | undefined): Received {
    if (message.lock === undefined) throw new Error('a received message must be locked');
    deliveries.push({ token: message.lock.token, session });
    return { id: message.messageId, sequenceNumber: message.sequenceNumber, deliveryCount: message.deliveryCount };
  }

  const lockOf = (holder: number | undefined) => (holder === undefined ? undefined : locks.get(holder));
  const message = (messageId: string, sessionId: string | undefined, timeToLiveMilliseconds: number | undefined) => ({
    messageId,
    sessionId,
    timeToLiveMilliseconds,
    payload: undefined,
  });
  const asSettlement = (kind: SettlementKind): Settlement =>
    kind === 'complete' || kind === 'release'
      ? { kind }
      : { kind, properties: {}, ...(kind === 'dead-letter' && { reason: 'by hand' }) };

  return {
    tick: async (milliseconds) => void (now += milliseconds),
    send: async (id, sessionId, timeToLive) => queue.enqueue(message(id, sessionId, timeToLive)),
    schedule: async (id, sessionId, milliseconds) =>
      queue.schedule(message(id, sessionId, undefined), new Date(now + milliseconds)),
    cancelScheduled: (number) => answer(() => (queue.cancelScheduled([number]), 'done')),
    accept: (holder, sessionId) =>
      answer(() => {
        const lock =
          sessionId === undefined
            ? queue.acceptNextSession(() => undefined)
            : queue.acceptSession(sessionId, () => undefined);
        if (lock === undefined) return 'nothing';
        locks.set(holder, lock);
        return lock.sessionId;
      }),
    renewSession: (holder) => answer(() => (queue.renewSessionLock(locks.get(holder) as SessionLock), 'done')),
    closeSession: async (holder) => queue.closeSession(locks.get(holder) as SessionLock),
    renew: (delivery) => answer(() => (queue.renewLock(deliveries[delivery]?.token ?? ''), 'done')),
    receive: (holder) =>
      answer(() => {
        const session = lockOf(holder);
        const received = queue.receive({ mode: 'peek-lock', session });
        return received === undefined ? 'nothing' : noted(received, session);
      }),
    receiveDeferred: (holder, number) =>
      answer(() => {
        const session = lockOf(holder);
        const [received] = queue.receiveDeferred({ sequenceNumbers: [number], mode: 'peek-lock', session });
        return received === undefined ? 'nothing' : noted(received, session);
      }),
    settle: (delivery, kind) =>
      answer(() => {
        const { token, session } = deliveries[delivery] ?? { token: '', session: undefined };
        queue.settle(token, asSettlement(kind), session);
        return 'done';
      }),
    async snapshot() {
      const peek = { fromSequenceNumber: 0, count: Infinity };
      const messages = queue.peek(peek);
      const counted = { active: 0, scheduled: 0, deferred: 0 };
      for (const { state } of messages) counted[state]++;
      const dead = queue.deadLetters?.peek(peek) ?? [];
      expect(queue.counts()).toEqual({ ...counted, deadLettered: dead.length });
      return {
        messages: messages.map(({ messageId, sequenceNumber, sessionId, state, lock, deliveryCount }) => ({
          id: messageId,
          sequenceNumber,
          sessionId,
          state,
          locked: lock !== undefined,
          deliveryCount,
        })),
        deadLetters: dead.map(({ messageId, changedProperties }) => ({
          id: messageId,
          reason: changedProperties['DeadLetterReason'] as string | undefined,
        })),
      };
    },
  };
}
