import { createDeadlines } from './deadlines.ts';
import { createDuplicateHistory } from './duplicates.ts';
import { createLane } from './lane.ts';
import type { Lane } from './lane.ts';
import { createLocks } from './locks.ts';
import type { NewMessage, PropertyChanges, QueuedMessage, SessionLock, Settlement } from './message.ts';
import { deadLetterSettings } from './options.ts';
import type { QueueSettings } from './options.ts';
import { Refusal } from './refusal.ts';
import { createSessions } from './sessions.ts';
import type { Session } from './sessions.ts';

export interface QueueCounts {
  /** Includes the messages that are locked by a receiver. */
  active: number;
  scheduled: number;
  deferred: number;
  deadLettered: number;
}

export type ReceiveMode = 'peek-lock' | 'receive-and-delete';

export interface Queue<Payload> {
  readonly settings: QueueSettings;
  /** Absent in a dead-letter queue. */
  readonly deadLetters: Queue<Payload> | undefined;
  /** @throws Refusal if the queue can't hold such a message */
  check(message: NewMessage<Payload>): void;
  /** A duplicate within the window is dropped without a word, as Service Bus does. */
  enqueue(message: NewMessage<Payload>, options?: { evenIfDuplicate?: boolean }): void;
  /** @returns the sequence number under which it can be cancelled, until it becomes active under another one. */
  schedule(message: NewMessage<Payload>, at: Date): number;
  /** @throws Refusal `message-not-found`, with nothing cancelled */
  cancelScheduled(sequenceNumbers: readonly number[]): void;
  hasReady(session: SessionLock | undefined): boolean;
  /** @param options.leaveCopy puts a copy right behind the message, so that it is delivered twice. */
  receive(options: {
    mode: ReceiveMode;
    session: SessionLock | undefined;
    leaveCopy?: boolean;
  }): QueuedMessage<Payload> | undefined;
  /** @throws Refusal `message-not-found` */
  receiveDeferred(options: {
    sequenceNumbers: readonly number[];
    mode: ReceiveMode;
    session: SessionLock | undefined;
  }): QueuedMessage<Payload>[];
  /** @throws Refusal `message-lock-lost`, `session-lock-lost` */
  settle(lockToken: string, settlement: Settlement, session: SessionLock | undefined): void;
  /** @returns milliseconds since the epoch. @throws Refusal `message-lock-lost` */
  renewLock(lockToken: string): number;
  /** @throws Refusal `session-cannot-be-locked` */
  acceptSession(sessionId: string, onLockLost: () => void): SessionLock;
  hasWaitingSession(): boolean;
  acceptNextSession(onLockLost: () => void): SessionLock | undefined;
  /** The lock that anybody holds on the session now. @throws Refusal `session-lock-lost` */
  sessionLock(sessionId: string): SessionLock;
  renewSessionLock(lock: SessionLock): number;
  /** Gives everything back that was delivered under the lock; that doesn't count as a delivery. */
  closeSession(lock: SessionLock): void;
  sessionState(sessionId: string): Buffer | undefined;
  setSessionState(lock: SessionLock, state: Buffer | undefined): void;
  sessionIds(updatedSince: Date): string[];
  /** Messages in any state, in order of their sequence numbers. */
  peek(options: {
    fromSequenceNumber: number;
    count: number;
    sessionId?: string | undefined;
  }): QueuedMessage<Payload>[];
  counts(): QueueCounts;
  /** Takes over a message that `source` gave up. */
  adopt(message: QueuedMessage<Payload>, source: string, properties: PropertyChanges): void;
  /** Lets everything happen that is due. Every other operation does so first. */
  advance(): void;
  /** Milliseconds since the epoch at which `advance` has something to do. */
  nextDeadline(): number | undefined;
  /** `listener` is called after every change that may let a receiver go on. */
  whenChanged(listener: () => void): void;
}

/**
 * One queue with Service Bus' semantics, without any protocol or timer: time is what `now` says, whatever fell due since
 * the last operation happens at the start of the next. No operation costs more than O(log n) in the number of messages,
 * apart from what it returns.
 */
export function createQueue<Payload>(settings: QueueSettings, now: () => Date): Queue<Payload> {
  type Message = QueuedMessage<Payload>;
  const listeners: (() => void)[] = [];
  const deadlines = createDeadlines();
  const messages = new Map<number, Message>();
  const wholeQueue = createLane<Payload>();
  const counts = { active: 0, scheduled: 0, deferred: 0 };
  const nowMilliseconds = () => now().getTime();
  const duplicates =
    settings.duplicateWindowMilliseconds === undefined
      ? undefined
      : createDuplicateHistory(settings.duplicateWindowMilliseconds, nowMilliseconds);
  const isDeadLetterQueue = settings.maxDeliveryCount === Infinity;
  const deadLetters = isDeadLetterQueue ? undefined : createQueue<Payload>(deadLetterSettings(settings), now);
  const sessions = createSessions<Payload>({
    lockDurationMilliseconds: settings.lockDurationMilliseconds,
    deadlines,
    nowMilliseconds,
    onLockExpired: (session) => giveBackAll(session, true),
  });
  const locks = createLocks<Payload>({
    durationMilliseconds: settings.lockDurationMilliseconds,
    deadlines,
    nowMilliseconds,
    onExpired: (message) => giveBack(message, true),
  });
  let lastSequenceNumber = 0;

  const changed = () => listeners.forEach((listener) => listener());
  const advance = () => deadlines.advance(nowMilliseconds());

  function sessionOf(message: Message): Session<Payload> | undefined {
    return settings.requiresSession ? sessions.open(message.sessionId ?? '') : undefined;
  }

  const laneOf = (message: Message): Lane<Payload> => sessionOf(message) ?? wholeQueue;

  function laneFor(lock: SessionLock | undefined): Lane<Payload> {
    if (!settings.requiresSession) return wholeQueue;
    if (lock === undefined)
      throw new Refusal(
        'not-allowed',
        `It is not possible for an entity that requires sessions to create a non-sessionful message receiver.`,
      );
    return sessions.heldBy(lock);
  }

  function check(message: NewMessage<Payload>): void {
    if (settings.requiresSession && message.sessionId === undefined) {
      throw new Refusal(
        'not-allowed',
        'The SessionId was not set on a message, and it cannot be sent to the entity. Entities that have session support enabled can only receive messages that have the SessionId set to a valid value.',
      );
    }
  }

  function admit(message: NewMessage<Payload>, known: Partial<Message>): Message {
    const sequenceNumber = ++lastSequenceNumber;
    const admitted: Message = {
      messageId: message.messageId,
      sessionId: message.sessionId,
      timeToLiveMilliseconds: message.timeToLiveMilliseconds,
      payload: message.payload,
      sequenceNumber,
      enqueuedSequenceNumber: undefined,
      position: sequenceNumber,
      enqueuedAtMilliseconds: nowMilliseconds(),
      expiresAtMilliseconds: Infinity,
      deliveryCount: 0,
      state: 'active',
      changedProperties: {},
      deadLetterSource: undefined,
      lock: undefined,
      lockDeadline: undefined,
      expiryDeadline: undefined,
      enqueueDeadline: undefined,
      ...known,
    };
    messages.set(sequenceNumber, admitted);
    const session = sessionOf(admitted);
    wholeQueue.index.append(admitted);
    session?.index.append(admitted);
    if (session !== undefined) {
      session.messageCount++;
      session.updatedAtMilliseconds = nowMilliseconds();
    }
    counts[admitted.state]++;
    return admitted;
  }

  function forget(message: Message): void {
    messages.delete(message.sequenceNumber);
    deadlines.cancel(message.expiryDeadline);
    deadlines.cancel(message.enqueueDeadline);
    counts[message.state]--;
    wholeQueue.index.remove(message);
    const session = sessionOf(message);
    (session ?? wholeQueue).ready.remove(message);
    if (session !== undefined) {
      session.index.remove(message);
      session.messageCount--;
      sessions.review(session);
    }
  }

  function changeState(message: Message, state: Message['state']): void {
    counts[message.state]--;
    message.state = state;
    counts[state]++;
  }

  function makeReady(message: Message): void {
    const session = sessionOf(message);
    (session ?? wholeQueue).ready.push(message);
    if (session !== undefined) sessions.review(session);
    changed();
  }

  function startTimeToLive(message: Message): void {
    const timeToLive = Math.min(message.timeToLiveMilliseconds ?? Infinity, settings.timeToLiveMilliseconds);
    if (timeToLive === Infinity) return;
    message.expiresAtMilliseconds = message.enqueuedAtMilliseconds + timeToLive;
    message.expiryDeadline = deadlines.add(message.expiresAtMilliseconds, () => {
      // Whoever holds the lock may still settle; the message expires when the lock ends otherwise.
      if (message.lock === undefined) expire(message);
    });
  }

  function activate(message: NewMessage<Payload>, known: Partial<Message>): void {
    const admitted = admit(message, known);
    startTimeToLive(admitted);
    makeReady(admitted);
  }

  function expire(message: Message): void {
    if (settings.deadLetteringOnMessageExpiration) {
      giveUp(message, { reason: 'TTLExpiredException', description: 'The message expired and was dead lettered.' }, {});
    } else forget(message);
  }

  function giveUp(message: Message, why: { reason?: string; description?: string }, properties: PropertyChanges): void {
    if (deadLetters === undefined)
      throw new Refusal('not-allowed', 'A message in a dead-letter queue cannot be dead-lettered.');
    forget(message);
    deadLetters.adopt(message, settings.name, {
      ...properties,
      ...(why.reason !== undefined && { DeadLetterReason: why.reason }),
      ...(why.description !== undefined && { DeadLetterErrorDescription: why.description }),
    });
  }

  /** `message` has been unlocked without a settlement that takes it away. */
  function giveBack(message: Message, countsAsDelivery: boolean): void {
    const session = sessionOf(message);
    session?.locked.delete(message);
    if (countsAsDelivery) message.deliveryCount++;
    if (message.deliveryCount >= settings.maxDeliveryCount) {
      const description = `Message could not be consumed after ${settings.maxDeliveryCount} delivery attempts.`;
      giveUp(message, { reason: 'MaxDeliveryCountExceeded', description }, {});
    } else if (message.state === 'deferred') changed();
    else if (message.expiresAtMilliseconds <= nowMilliseconds()) expire(message);
    else makeReady(message);
  }

  function giveBackAll(session: Session<Payload>, countsAsDelivery: boolean): void {
    for (const message of [...session.locked]) {
      locks.release(message);
      giveBack(message, countsAsDelivery);
    }
    sessions.review(session);
    changed();
  }

  function handOut(message: Message, mode: ReceiveMode, session: SessionLock | undefined): Message {
    if (mode === 'receive-and-delete') {
      forget(message);
      return message;
    }
    locks.take(message, session);
    sessionOf(message)?.locked.add(message);
    return message;
  }

  return {
    settings,
    deadLetters,
    check,
    advance,
    nextDeadline: () => deadlines.next(),
    whenChanged: (listener) => void listeners.push(listener),

    enqueue(message, { evenIfDuplicate = false } = {}) {
      advance();
      check(message);
      if (duplicates?.seen(message.messageId) === true && !evenIfDuplicate) return;
      activate(message, {});
    },

    schedule(message, at) {
      advance();
      check(message);
      if (duplicates?.seen(message.messageId) === true) return ++lastSequenceNumber;
      const scheduled = admit(message, { state: 'scheduled', enqueuedAtMilliseconds: at.getTime() });
      scheduled.enqueueDeadline = deadlines.add(at.getTime(), () => {
        forget(scheduled);
        activate(message, { enqueuedSequenceNumber: scheduled.sequenceNumber });
      });
      changed();
      return scheduled.sequenceNumber;
    },

    cancelScheduled(sequenceNumbers) {
      advance();
      const scheduled = sequenceNumbers.map((number) => {
        const message = messages.get(number);
        if (message?.state !== 'scheduled')
          throw new Refusal(
            'message-not-found',
            `The scheduled message with the sequence number ${number} was not found.`,
          );
        return message;
      });
      scheduled.forEach(forget);
    },

    hasReady(session) {
      advance();
      return (session === undefined || session.held) && laneFor(session).ready.size > 0;
    },

    receive({ mode, session, leaveCopy = false }) {
      advance();
      const lane = laneFor(session);
      const message = lane.ready.pop();
      if (message === undefined) return undefined;
      if (leaveCopy)
        activate(message, { position: message.position, enqueuedAtMilliseconds: message.enqueuedAtMilliseconds });
      return handOut(message, mode, session);
    },

    receiveDeferred({ sequenceNumbers, mode, session }) {
      advance();
      const lane = laneFor(session);
      const deferred = sequenceNumbers.map((number) => {
        const message = messages.get(number);
        if (message?.state !== 'deferred' || message.lock !== undefined || laneOf(message) !== lane) {
          throw new Refusal(
            'message-not-found',
            `Failed to lock one or more specified messages. The message with the sequence number ${number} was not found.`,
          );
        }
        return message;
      });
      return deferred.map((message) => handOut(message, mode, session));
    },

    settle(lockToken, settlement, session) {
      advance();
      if (settings.requiresSession && session !== undefined) sessions.heldBy(session);
      const message = locks.holder(lockToken, session);
      if (settlement.kind === 'dead-letter' && isDeadLetterQueue) {
        throw new Refusal('not-allowed', 'A message in a dead-letter queue cannot be dead-lettered.');
      }
      locks.release(message);
      sessionOf(message)?.locked.delete(message);
      if ('properties' in settlement)
        message.changedProperties = { ...message.changedProperties, ...settlement.properties };
      switch (settlement.kind) {
        case 'complete':
          forget(message);
          break;
        case 'dead-letter':
          giveUp(message, settlement, {});
          break;
        case 'defer':
          deadlines.cancel(message.expiryDeadline);
          changeState(message, 'deferred');
          break;
        case 'abandon':
          giveBack(message, true);
          break;
        case 'release':
          giveBack(message, false);
      }
      changed();
    },

    renewLock(lockToken) {
      advance();
      if (settings.requiresSession)
        throw new Refusal(
          'not-allowed',
          'Messages of a session are locked with the session; renew the lock of the session instead.',
        );
      return locks.renew(lockToken);
    },

    acceptSession(sessionId, onLockLost) {
      advance();
      return sessions.accept(sessionId, onLockLost);
    },

    hasWaitingSession() {
      advance();
      return sessions.hasWaiting();
    },

    acceptNextSession(onLockLost) {
      advance();
      return sessions.acceptNext(onLockLost);
    },

    sessionLock(sessionId) {
      advance();
      const lock = sessions.find(sessionId)?.lock;
      if (lock === undefined)
        throw new Refusal('session-lock-lost', `The session lock has expired on the session with id ${sessionId}.`);
      return lock;
    },

    renewSessionLock(lock) {
      advance();
      return sessions.renew(lock);
    },

    closeSession(lock) {
      advance();
      if (!lock.held) return;
      const session = sessions.heldBy(lock);
      sessions.unlock(session);
      giveBackAll(session, false);
    },

    sessionState(sessionId) {
      advance();
      return sessions.find(sessionId)?.state;
    },

    setSessionState(lock, state) {
      advance();
      const session = sessions.heldBy(lock);
      session.state = state;
      session.updatedAtMilliseconds = nowMilliseconds();
    },

    sessionIds(updatedSince) {
      advance();
      return [...sessions.all()]
        .filter((session) => session.updatedAtMilliseconds >= updatedSince.getTime())
        .map((session) => session.id);
    },

    peek({ fromSequenceNumber, count, sessionId }) {
      advance();
      const lane = sessionId === undefined || !settings.requiresSession ? wholeQueue : sessions.find(sessionId);
      const found: Message[] = [];
      for (const message of lane?.index.from(fromSequenceNumber) ?? []) {
        if (found.length >= count) break;
        found.push(message);
      }
      return found;
    },

    counts() {
      advance();
      return { ...counts, deadLettered: deadLetters?.counts().active ?? 0 };
    },

    adopt(message, source, properties) {
      activate(message, {
        enqueuedSequenceNumber: message.sequenceNumber,
        enqueuedAtMilliseconds: message.enqueuedAtMilliseconds,
        deliveryCount: message.deliveryCount,
        changedProperties: { ...message.changedProperties, ...properties },
        deadLetterSource: source,
        timeToLiveMilliseconds: undefined,
      });
    },
  };
}
