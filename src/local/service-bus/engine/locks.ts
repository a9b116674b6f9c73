import { randomUUID } from 'node:crypto';
import type { Deadlines } from './deadlines.ts';
import type { QueuedMessage, SessionLock } from './message.ts';
import { Refusal } from './refusal.ts';

export interface Locks<Payload> {
  take(message: QueuedMessage<Payload>, session: SessionLock | undefined): void;
  release(message: QueuedMessage<Payload>): void;
  /** The message that the token locks for that session's holder. @throws Refusal `message-lock-lost` */
  holder(token: string, session: SessionLock | undefined): QueuedMessage<Payload>;
  /** @returns milliseconds since the epoch. @throws Refusal `message-lock-lost` */
  renew(token: string): number;
}

export interface LocksOptions<Payload> {
  durationMilliseconds: number;
  deadlines: Deadlines;
  nowMilliseconds: () => number;
  /** The lock has run out; the message is already unlocked. */
  onExpired: (message: QueuedMessage<Payload>) => void;
}

/** Locks on single messages. Under a session's lock they have no end of their own. */
export function createLocks<Payload>(options: LocksOptions<Payload>): Locks<Payload> {
  const { deadlines, nowMilliseconds, durationMilliseconds } = options;
  const messageByToken = new Map<string, QueuedMessage<Payload>>();

  function release(message: QueuedMessage<Payload>): void {
    if (message.lock !== undefined) messageByToken.delete(message.lock.token);
    message.lock = undefined;
    deadlines.cancel(message.lockDeadline);
    message.lockDeadline = undefined;
  }

  function startEnd(message: QueuedMessage<Payload>): number {
    const until = nowMilliseconds() + durationMilliseconds;
    deadlines.cancel(message.lockDeadline);
    message.lockDeadline = deadlines.add(until, () => {
      release(message);
      options.onExpired(message);
    });
    return until;
  }

  function holder(token: string, session: SessionLock | undefined): QueuedMessage<Payload> {
    const message = messageByToken.get(token);
    if (message === undefined || message.lock?.session !== session) {
      throw new Refusal(
        'message-lock-lost',
        'The lock supplied is invalid. Either the lock expired, or the message has already been removed from the queue.',
      );
    }
    return message;
  }

  return {
    release,
    holder,
    take(message, session) {
      const token = randomUUID();
      const untilMilliseconds = session === undefined ? startEnd(message) : session.untilMilliseconds;
      message.lock = { token, untilMilliseconds, session };
      messageByToken.set(token, message);
    },
    renew(token) {
      const message = holder(token, undefined);
      const untilMilliseconds = startEnd(message);
      if (message.lock !== undefined) message.lock.untilMilliseconds = untilMilliseconds;
      return untilMilliseconds;
    },
  };
}
