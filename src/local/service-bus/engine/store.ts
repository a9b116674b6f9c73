import { createLane } from './lane.ts';
import type { Lane } from './lane.ts';
import type { MessageState, NewMessage, QueuedMessage, SessionLock } from './message.ts';
import { Refusal } from './refusal.ts';
import type { Session, Sessions } from './sessions.ts';

export interface Store<Payload> {
  readonly counts: Readonly<Record<MessageState, number>>;
  find(sequenceNumber: number): QueuedMessage<Payload> | undefined;
  nextSequenceNumber(): number;
  /** Takes a message in under a new sequence number, not ready for delivery yet. */
  add(message: NewMessage<Payload>, known: Partial<QueuedMessage<Payload>>): QueuedMessage<Payload>;
  remove(message: QueuedMessage<Payload>): void;
  changeState(message: QueuedMessage<Payload>, state: MessageState): void;
  makeReady(message: QueuedMessage<Payload>): void;
  /** The session that the message belongs to, if sessions matter here. */
  sessionOf(message: QueuedMessage<Payload>): Session<Payload> | undefined;
  /** The lane that a receiver draws from. @throws Refusal `session-lock-lost`, `not-allowed` */
  laneFor(lock: SessionLock | undefined): Lane<Payload>;
  /** Everything, or everything of a session, for peeking. */
  lane(sessionId: string | undefined): Lane<Payload> | undefined;
}

export interface StoreOptions<Payload> {
  /** Absent: the entity has no sessions. */
  sessions: Sessions<Payload> | undefined;
  nowMilliseconds: () => number;
}

/** Where the messages of one queue are: by number, by lane, and counted by state. */
export function createStore<Payload>({ sessions, nowMilliseconds }: StoreOptions<Payload>): Store<Payload> {
  const messages = new Map<number, QueuedMessage<Payload>>();
  const wholeQueue = createLane<Payload>();
  const counts: Record<MessageState, number> = { active: 0, scheduled: 0, deferred: 0 };
  let lastSequenceNumber = 0;

  const sessionOf = (message: QueuedMessage<Payload>) => sessions?.open(message.sessionId ?? '');

  return {
    counts,
    sessionOf,
    find: (sequenceNumber) => messages.get(sequenceNumber),
    nextSequenceNumber: () => ++lastSequenceNumber,

    add(message, known) {
      const sequenceNumber = ++lastSequenceNumber;
      const added: QueuedMessage<Payload> = {
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
        heapPosition: -1,
        ...known,
      };
      messages.set(sequenceNumber, added);
      wholeQueue.index.append(added);
      counts[added.state]++;
      const session = sessionOf(added);
      if (session !== undefined) {
        session.index.append(added);
        session.messageCount++;
        session.updatedAtMilliseconds = nowMilliseconds();
      }
      return added;
    },

    remove(message) {
      messages.delete(message.sequenceNumber);
      wholeQueue.index.remove(message);
      counts[message.state]--;
      const session = sessionOf(message);
      (session ?? wholeQueue).ready.remove(message);
      if (session === undefined) return;
      session.index.remove(message);
      session.locked.delete(message);
      session.messageCount--;
      sessions?.review(session);
    },

    changeState(message, state) {
      counts[message.state]--;
      message.state = state;
      counts[state]++;
    },

    makeReady(message) {
      const session = sessionOf(message);
      (session ?? wholeQueue).ready.push(message);
      if (session !== undefined) sessions?.review(session);
    },

    laneFor(lock) {
      if (sessions === undefined) return wholeQueue;
      if (lock !== undefined) return sessions.heldBy(lock);
      throw new Refusal(
        'not-allowed',
        'Messages of an entity that requires sessions can only be received under the lock of a session.',
      );
    },

    lane: (sessionId) => (sessionId === undefined || sessions === undefined ? wholeQueue : sessions.find(sessionId)),
  };
}
