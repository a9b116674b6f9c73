import type { Deadline } from './deadlines.ts';
import type { HeapEntry } from './heap.ts';

/** What a sender hands in; the payload is opaque to the engine. */
export interface NewMessage<Payload> {
  messageId: string;
  sessionId: string | undefined;
  /** Absent: only the entity's own limit holds. */
  timeToLiveMilliseconds: number | undefined;
  payload: Payload;
}

export type MessageState = 'active' | 'scheduled' | 'deferred';

/** A change of application properties, recorded with a settlement. */
export type PropertyChanges = Readonly<Record<string, unknown>>;

export interface MessageLock {
  readonly token: string;
  /** Milliseconds since the epoch; within a session the session's lock counts instead. */
  untilMilliseconds: number;
  /** The session lock under which the message was received. */
  readonly session: SessionLock | undefined;
}

export interface SessionLock {
  readonly sessionId: string;
  untilMilliseconds: number;
  /** False from expiry or release on. */
  held: boolean;
}

/** A message as the engine keeps it. Only the queue that holds it changes it. */
export interface QueuedMessage<Payload> extends NewMessage<Payload>, HeapEntry {
  sequenceNumber: number;
  /** The first number that the message had, if it has been given another one since. */
  enqueuedSequenceNumber: number | undefined;
  /** Orders deliveries; differs from the sequence number only for a copy, which stays right behind its original. */
  position: number;
  enqueuedAtMilliseconds: number;
  expiresAtMilliseconds: number;
  /** Deliveries that ended without a settlement that sticks. */
  deliveryCount: number;
  state: MessageState;
  /** Laid over the application properties of the payload. */
  changedProperties: PropertyChanges;
  /** The entity that gave the message up. */
  deadLetterSource: string | undefined;
  lock: MessageLock | undefined;
  lockDeadline: Deadline | undefined;
  expiryDeadline: Deadline | undefined;
  enqueueDeadline: Deadline | undefined;
}

export type Settlement =
  | { kind: 'complete' }
  | { kind: 'abandon'; properties: PropertyChanges }
  /** Gives the message back as if it had not been delivered. */
  | { kind: 'release' }
  | { kind: 'defer'; properties: PropertyChanges }
  | { kind: 'dead-letter'; reason?: string; description?: string; properties: PropertyChanges };
