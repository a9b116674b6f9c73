import type { Receiver, Sender, Session } from 'rhea';
import type { SessionLock } from '../engine/message.ts';
import { Refusal } from '../engine/refusal.ts';
import type { AmqpRefusal } from './conditions.ts';

type Link = Sender | Receiver;

/** What the broker does for a link, and how it stops. */
export interface OpenLink {
  /** @param answerable whether the client still listens on the link's session: then an attach must not stay unanswered */
  close?(answerable: boolean): void;
  /** The session that a session receiver holds. */
  sessionLock?(): SessionLock | undefined;
  /** Absent: the link may be idle for as long as it likes. */
  lastUsedAt?(): number;
}

export interface OpenLinks {
  /** @param path what the link is for, as `normalPath` gives it */
  add(link: Link, path: string, open: OpenLink): void;
  /** The client has ended the link. */
  end(link: Link | undefined): void;
  endSession(session: Session | undefined): void;
  /** The connection is gone. */
  endAll(): void;
  /** Detaches every link for which there is a reason to. */
  detachWhere(reason: (open: OpenLink, path: string) => AmqpRefusal | undefined): void;
  /** The lock that the named link holds. @throws Refusal `session-lock-lost` */
  sessionLockOf(linkName: string, sessionId: string): SessionLock;
}

/** The links of one connection. */
export function createOpenLinks(): OpenLinks {
  const links = new Map<Link, { path: string; open: OpenLink }>();

  function drop(link: Link, answerable: boolean): void {
    const entry = links.get(link);
    links.delete(link);
    entry?.open.close?.(answerable);
  }

  return {
    add: (link, path, open) => void links.set(link, { path, open }),
    end: (link) => link !== undefined && drop(link, true),
    endSession(session) {
      for (const link of links.keys()) if (link.session === session) drop(link, false);
    },
    endAll() {
      for (const link of links.keys()) drop(link, false);
    },
    detachWhere(reason) {
      for (const [link, { path, open }] of links) {
        const refusal = reason(open, path);
        if (refusal === undefined) continue;
        drop(link, true);
        link.close({ condition: refusal.condition, description: refusal.description });
      }
    },
    sessionLockOf(linkName, sessionId) {
      for (const [link, { open }] of links) {
        const lock = link.name === linkName ? open.sessionLock?.() : undefined;
        if (lock?.sessionId === sessionId) return lock;
      }
      throw new Refusal('session-lock-lost', `The session lock has expired on the session with id ${sessionId}.`);
    },
  };
}
