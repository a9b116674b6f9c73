import type { Deadline, Deadlines } from './deadlines.ts';
import { createLane } from './lane.ts';
import type { Lane } from './lane.ts';
import type { QueuedMessage, SessionLock } from './message.ts';
import { Refusal } from './refusal.ts';

export interface Session<Payload> extends Lane<Payload> {
  readonly id: string;
  /** Delivered under the session's lock and not settled yet, in order of delivery. */
  readonly locked: Set<QueuedMessage<Payload>>;
  messageCount: number;
  state: Buffer | undefined;
  updatedAtMilliseconds: number;
  lock: SessionLock | undefined;
  lockDeadline: Deadline | undefined;
  onLockLost: () => void;
}

export interface Sessions<Payload> {
  /** The session of that id, made if it isn't there. */
  open(id: string): Session<Payload>;
  find(id: string): Session<Payload> | undefined;
  /** The session that `lock` holds. @throws Refusal `session-lock-lost` */
  heldBy(lock: SessionLock): Session<Payload>;
  /** @throws Refusal `session-cannot-be-locked` */
  accept(id: string, onLockLost: () => void): SessionLock;
  /** Locks the session that has been waiting longest with something to deliver, if there is one. */
  acceptNext(onLockLost: () => void): SessionLock | undefined;
  renew(lock: SessionLock): number;
  unlock(session: Session<Payload>): void;
  /** To be called after every change of what a session holds: keeps the order of waiting sessions, drops empty ones. */
  review(session: Session<Payload>): void;
  hasWaiting(): boolean;
  all(): Iterable<Session<Payload>>;
}

export interface SessionsOptions<Payload> {
  lockDurationMilliseconds: number;
  deadlines: Deadlines;
  nowMilliseconds: () => number;
  /** The lock has run out; `session` is already unlocked. */
  onLockExpired: (session: Session<Payload>) => void;
}

export function createSessions<Payload>(options: SessionsOptions<Payload>): Sessions<Payload> {
  const { deadlines, nowMilliseconds, lockDurationMilliseconds } = options;
  const sessions = new Map<string, Session<Payload>>();
  // Unlocked sessions with something to deliver, in the order in which they became so.
  const waiting = new Set<Session<Payload>>();

  function open(id: string): Session<Payload> {
    let session = sessions.get(id);
    if (session === undefined) {
      session = {
        ...createLane<Payload>(),
        id,
        locked: new Set(),
        messageCount: 0,
        state: undefined,
        updatedAtMilliseconds: nowMilliseconds(),
        lock: undefined,
        lockDeadline: undefined,
        onLockLost: () => undefined,
      };
      sessions.set(id, session);
    }
    return session;
  }

  function review(session: Session<Payload>): void {
    if (session.lock === undefined && session.ready.size > 0) waiting.add(session);
    else waiting.delete(session);
    if (session.messageCount === 0 && session.lock === undefined && session.state === undefined)
      sessions.delete(session.id);
  }

  function unlock(session: Session<Payload>): void {
    if (session.lock !== undefined) session.lock.held = false;
    session.lock = undefined;
    deadlines.cancel(session.lockDeadline);
    session.lockDeadline = undefined;
  }

  function startLock(session: Session<Payload>, lock: SessionLock): void {
    lock.untilMilliseconds = nowMilliseconds() + lockDurationMilliseconds;
    deadlines.cancel(session.lockDeadline);
    session.lockDeadline = deadlines.add(lock.untilMilliseconds, () => {
      unlock(session);
      options.onLockExpired(session);
      review(session);
      session.onLockLost();
    });
  }

  function take(session: Session<Payload>, onLockLost: () => void): SessionLock {
    const lock: SessionLock = { sessionId: session.id, untilMilliseconds: 0, held: true };
    session.lock = lock;
    session.onLockLost = onLockLost;
    startLock(session, lock);
    review(session);
    return lock;
  }

  function heldBy(lock: SessionLock): Session<Payload> {
    const session = sessions.get(lock.sessionId);
    if (!lock.held || session === undefined) {
      throw new Refusal('session-lock-lost', `The session lock has expired on the session with id ${lock.sessionId}.`);
    }
    return session;
  }

  return {
    open,
    find: (id) => sessions.get(id),
    heldBy,
    unlock,
    review,
    hasWaiting: () => waiting.size > 0,
    all: () => sessions.values(),
    accept(id, onLockLost) {
      if (sessions.get(id)?.lock !== undefined) {
        throw new Refusal(
          'session-cannot-be-locked',
          `The requested session '${id}' cannot be accepted. It may be locked by another receiver.`,
        );
      }
      return take(open(id), onLockLost);
    },
    acceptNext(onLockLost) {
      const [session] = waiting;
      return session === undefined ? undefined : take(session, onLockLost);
    },
    renew(lock) {
      startLock(heldBy(lock), lock);
      return lock.untilMilliseconds;
    },
  };
}
