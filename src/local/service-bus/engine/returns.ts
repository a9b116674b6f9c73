import type { Deadlines } from './deadlines.ts';
import type { Locks } from './locks.ts';
import type { NewMessage, PropertyChanges, QueuedMessage } from './message.ts';
import type { QueueSettings } from './options.ts';
import { Refusal } from './refusal.ts';
import type { Session } from './sessions.ts';
import type { Store } from './store.ts';

export interface Returns<Payload> {
  /** A new message becomes deliverable. */
  activate(message: NewMessage<Payload>, known: Partial<QueuedMessage<Payload>>): void;
  /** A message leaves the queue. */
  forget(message: QueuedMessage<Payload>): void;
  /** A message goes to the dead letters. @throws Refusal `not-allowed` if this is where dead letters are */
  giveUp(message: QueuedMessage<Payload>, why: { reason?: string; description?: string }): void;
  /** A message whose lock has just ended without a settlement that takes it away. */
  giveBack(message: QueuedMessage<Payload>, countsAsDelivery: boolean): void;
  /** The same for all messages that were locked under a session's lock, in their order. */
  giveBackAll(session: Session<Payload>, countsAsDelivery: boolean): void;
}

export interface ReturnsOptions<Payload> {
  settings: QueueSettings;
  store: Store<Payload>;
  locks: () => Locks<Payload>;
  deadlines: Deadlines;
  nowMilliseconds: () => number;
  /** Absent where dead letters are kept. */
  adoptDeadLetter: ((message: QueuedMessage<Payload>, properties: PropertyChanges) => void) | undefined;
}

/** The ways of a message into the queue, back into it and out of it. */
export function createReturns<Payload>(options: ReturnsOptions<Payload>): Returns<Payload> {
  const { settings, store, deadlines, nowMilliseconds, adoptDeadLetter } = options;

  function activate(message: NewMessage<Payload>, known: Partial<QueuedMessage<Payload>>): void {
    const added = store.add(message, known);
    startTimeToLive(added);
    store.makeReady(added);
  }

  function startTimeToLive(message: QueuedMessage<Payload>): void {
    const timeToLive = Math.min(message.timeToLiveMilliseconds ?? Infinity, settings.timeToLiveMilliseconds);
    if (timeToLive === Infinity || settings.isDeadLetterQueue) return;
    message.expiresAtMilliseconds = message.enqueuedAtMilliseconds + timeToLive;
    message.expiryDeadline = deadlines.add(message.expiresAtMilliseconds, () => {
      // Whoever holds the lock may still settle; the message expires when the lock ends otherwise.
      if (message.lock === undefined) expire(message);
    });
  }

  function expire(message: QueuedMessage<Payload>): void {
    if (settings.deadLetteringOnMessageExpiration) {
      giveUp(message, { reason: 'TTLExpiredException', description: 'The message expired and was dead lettered.' });
    } else forget(message);
  }

  function forget(message: QueuedMessage<Payload>): void {
    deadlines.cancel(message.expiryDeadline);
    deadlines.cancel(message.enqueueDeadline);
    store.remove(message);
  }

  function giveUp(message: QueuedMessage<Payload>, why: { reason?: string; description?: string }): void {
    if (adoptDeadLetter === undefined)
      throw new Refusal('not-allowed', 'A message in a dead-letter queue cannot be dead-lettered.');
    forget(message);
    adoptDeadLetter(message, deadLetterProperties(why));
  }

  function giveBack(message: QueuedMessage<Payload>, countsAsDelivery: boolean): void {
    store.sessionOf(message)?.locked.delete(message);
    if (countsAsDelivery) message.deliveryCount++;
    if (message.deliveryCount >= settings.maxDeliveryCount) {
      const description = `Message could not be consumed after ${settings.maxDeliveryCount} delivery attempts.`;
      giveUp(message, { reason: 'MaxDeliveryCountExceeded', description });
      return;
    }
    if (message.state === 'deferred') return;
    if (message.expiresAtMilliseconds <= nowMilliseconds()) expire(message);
    else store.makeReady(message);
  }

  function giveBackAll(session: Session<Payload>, countsAsDelivery: boolean): void {
    const inOrder = [...session.locked].sort((a, b) => a.position - b.position || a.sequenceNumber - b.sequenceNumber);
    for (const message of inOrder) {
      options.locks().release(message);
      giveBack(message, countsAsDelivery);
    }
  }

  return { activate, forget, giveUp, giveBack, giveBackAll };
}

/** The application properties by which a dead letter says why it is one. */
export function deadLetterProperties(why: { reason?: string; description?: string }): PropertyChanges {
  return {
    ...(why.reason !== undefined && { DeadLetterReason: why.reason }),
    ...(why.description !== undefined && { DeadLetterErrorDescription: why.description }),
  };
}
