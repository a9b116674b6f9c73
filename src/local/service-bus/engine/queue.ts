import type { NewMessage, QueuedMessage, SessionLock, Settlement } from './message.ts';
import type { QueueSettings } from './options.ts';

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
  /** Makes a message that `source` gave up, and what is known of it, a dead letter of this queue. */
  adopt(message: NewMessage<Payload>, source: string, known: Partial<QueuedMessage<Payload>>): void;
  /** Lets everything happen that is due. Every other operation does so first. */
  advance(): void;
  /** Milliseconds since the epoch at which `advance` has something to do. */
  nextDeadline(): number | undefined;
  /** `listener` is called after every change that may let a receiver go on. */
  whenChanged(listener: () => void): void;
}
