import { createDeadlines } from './deadlines.ts';
import { createDuplicateHistory } from './duplicates.ts';
import { createLocks } from './locks.ts';
import type { Locks } from './locks.ts';
import { checkMessage } from './message-check.ts';
import type { QueuedMessage, SessionLock } from './message.ts';
import { deadLetterSettings } from './options.ts';
import type { QueueSettings } from './options.ts';
import type { Queue, ReceiveMode } from './queue.ts';
import { Refusal } from './refusal.ts';
import { createReturns } from './returns.ts';
import { createSessions } from './sessions.ts';
import type { Sessions } from './sessions.ts';
import { createStore } from './store.ts';

/**
 * One queue with Service Bus' semantics, without any protocol or timer: time is what `now` says, and whatever fell due
 * since the last operation happens at the start of the next. No operation costs more than O(log n) in the number of
 * messages, apart from what it returns.
 */
export function createQueue<Payload>(settings: QueueSettings, now: () => Date): Queue<Payload> {
  type Message = QueuedMessage<Payload>;
  const listeners: (() => void)[] = [];
  const deadlines = createDeadlines();
  const nowMilliseconds = () => now().getTime();
  const { lockDurationMilliseconds, duplicateWindowMilliseconds } = settings;
  const duplicates =
    duplicateWindowMilliseconds === undefined
      ? undefined
      : createDuplicateHistory(duplicateWindowMilliseconds, nowMilliseconds);
  const deadLetters = settings.isDeadLetterQueue ? undefined : createQueue<Payload>(deadLetterSettings(settings), now);
  const sessions: Sessions<Payload> | undefined = settings.requiresSession
    ? createSessions<Payload>({
        lockDurationMilliseconds,
        deadlines,
        nowMilliseconds,
        onLockExpired: (session) => returns.giveBackAll(session, true),
      })
    : undefined;
  const store = createStore<Payload>({ sessions, nowMilliseconds });
  const returns = createReturns<Payload>({
    settings,
    store,
    locks: () => locks,
    deadlines,
    nowMilliseconds,
    adoptDeadLetter:
      deadLetters &&
      ((message, properties) =>
        deadLetters.adopt(message, settings.name, {
          enqueuedSequenceNumber: message.sequenceNumber,
          enqueuedAtMilliseconds: message.enqueuedAtMilliseconds,
          deliveryCount: message.deliveryCount,
          changedProperties: { ...message.changedProperties, ...properties },
        })),
  });
  const locks: Locks<Payload> = createLocks<Payload>({
    durationMilliseconds: lockDurationMilliseconds,
    deadlines,
    nowMilliseconds,
    onExpired: (message) => returns.giveBack(message, true),
  });

  const changed = () => listeners.forEach((listener) => listener());

  function advance(): void {
    if (deadlines.advance(nowMilliseconds())) changed();
  }

  function sessionsHere(): Sessions<Payload> {
    if (sessions === undefined) throw new Refusal('not-allowed', 'The entity has no sessions.');
    return sessions;
  }

  function handOut(message: Message, mode: ReceiveMode, session: SessionLock | undefined): Message {
    if (mode === 'receive-and-delete') returns.forget(message);
    else {
      locks.take(message, session);
      store.sessionOf(message)?.locked.add(message);
    }
    return message;
  }

  return {
    settings,
    deadLetters,
    advance,
    nextDeadline: () => deadlines.next(),
    whenChanged: (listener) => void listeners.push(listener),
    check: (message) => checkMessage(message, settings),

    enqueue(message, { evenIfDuplicate = false } = {}) {
      advance();
      checkMessage(message, settings);
      if (duplicates?.seen(message.messageId) === true && !evenIfDuplicate) return;
      returns.activate(message, {});
      changed();
    },

    schedule(message, at) {
      advance();
      checkMessage(message, settings);
      if (duplicates?.seen(message.messageId) === true) return store.nextSequenceNumber();
      const scheduled = store.add(message, { state: 'scheduled', enqueuedAtMilliseconds: at.getTime() });
      scheduled.enqueueDeadline = deadlines.add(at.getTime(), () => {
        returns.forget(scheduled);
        returns.activate(message, { enqueuedSequenceNumber: scheduled.sequenceNumber });
      });
      changed();
      return scheduled.sequenceNumber;
    },

    cancelScheduled(sequenceNumbers) {
      advance();
      const scheduled = [...new Set(sequenceNumbers)].map((number) => {
        const message = store.find(number);
        if (message?.state === 'scheduled') return message;
        throw new Refusal(
          'message-not-found',
          `The scheduled message with the sequence number ${number} was not found.`,
        );
      });
      scheduled.forEach((message) => returns.forget(message));
    },

    hasReady(session) {
      advance();
      return (session === undefined || session.held) && store.laneFor(session).ready.size > 0;
    },

    receive({ mode, session, leaveCopy = false }) {
      advance();
      const message = store.laneFor(session).ready.pop();
      if (message === undefined) return undefined;
      if (leaveCopy) {
        const { position, enqueuedAtMilliseconds, deliveryCount, changedProperties } = message;
        returns.activate(message, { position, enqueuedAtMilliseconds, deliveryCount, changedProperties });
      }
      handOut(message, mode, session);
      changed();
      return message;
    },

    receiveDeferred({ sequenceNumbers, mode, session }) {
      advance();
      const lane = store.laneFor(session);
      const deferred = [...new Set(sequenceNumbers)].map((number) => {
        const message = store.find(number);
        const here = message !== undefined && (store.sessionOf(message) ?? lane) === lane;
        if (here && message.state === 'deferred' && message.lock === undefined) return message;
        throw new Refusal(
          'message-not-found',
          `Failed to lock one or more specified messages: there is none to receive with the sequence number ${number}.`,
        );
      });
      changed();
      return deferred.map((message) => handOut(message, mode, session));
    },

    settle(lockToken, settlement, session) {
      advance();
      if (session !== undefined) sessionsHere().heldBy(session);
      const message = locks.holder(lockToken, session);
      if (settlement.kind === 'dead-letter' && settings.isDeadLetterQueue) {
        throw new Refusal('not-allowed', 'A message in a dead-letter queue cannot be dead-lettered.');
      }
      locks.release(message);
      store.sessionOf(message)?.locked.delete(message);
      if ('properties' in settlement)
        message.changedProperties = { ...message.changedProperties, ...settlement.properties };
      switch (settlement.kind) {
        case 'complete':
          returns.forget(message);
          break;
        case 'dead-letter':
          returns.giveUp(message, settlement);
          break;
        case 'defer':
          // A deferred message waits for whoever knows its number, however long that takes.
          deadlines.cancel(message.expiryDeadline);
          store.changeState(message, 'deferred');
          break;
        case 'abandon':
        case 'release':
          returns.giveBack(message, settlement.kind === 'abandon');
      }
      changed();
    },

    renewLock(lockToken) {
      advance();
      if (sessions !== undefined) {
        throw new Refusal(
          'not-allowed',
          'Messages of a session are locked with the session; renew the lock of the session instead.',
        );
      }
      const untilMilliseconds = locks.renew(lockToken);
      changed();
      return untilMilliseconds;
    },

    acceptSession(sessionId, onLockLost) {
      advance();
      const lock = sessionsHere().accept(sessionId, onLockLost);
      changed();
      return lock;
    },

    hasWaitingSession() {
      advance();
      return sessions?.hasWaiting() ?? false;
    },

    acceptNextSession(onLockLost) {
      advance();
      const lock = sessionsHere().acceptNext(onLockLost);
      changed();
      return lock;
    },

    sessionLock(sessionId) {
      advance();
      const lock = sessionsHere().find(sessionId)?.lock;
      if (lock !== undefined) return lock;
      throw new Refusal('session-lock-lost', `The session lock has expired on the session with id ${sessionId}.`);
    },

    renewSessionLock(lock) {
      advance();
      const untilMilliseconds = sessionsHere().renew(lock);
      changed();
      return untilMilliseconds;
    },

    closeSession(lock) {
      advance();
      if (!lock.held) return;
      const session = sessionsHere().heldBy(lock);
      sessionsHere().unlock(session);
      returns.giveBackAll(session, false);
      sessionsHere().review(session);
      changed();
    },

    sessionState(sessionId) {
      advance();
      return sessionsHere().find(sessionId)?.state;
    },

    setSessionState(lock, state) {
      advance();
      const session = sessionsHere().heldBy(lock);
      session.state = state;
      session.updatedAtMilliseconds = nowMilliseconds();
    },

    sessionIds(updatedSince) {
      advance();
      const since = updatedSince.getTime();
      return [...sessionsHere().all()]
        .filter(({ updatedAtMilliseconds }) => updatedAtMilliseconds >= since)
        .map(({ id }) => id);
    },

    peek({ fromSequenceNumber, count, sessionId }) {
      advance();
      const found: Message[] = [];
      for (const message of store.lane(sessionId)?.index.from(fromSequenceNumber) ?? []) {
        if (found.length >= count) break;
        found.push(message);
      }
      return found;
    },

    counts() {
      advance();
      return { ...store.counts, deadLettered: deadLetters?.counts().active ?? 0 };
    },

    adopt(message, source, known) {
      returns.activate(message, { ...known, deadLetterSource: source });
      changed();
    },
  };
}
