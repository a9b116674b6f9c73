import type { Connection, EventContext, Receiver, Sender } from 'rhea';
import type { Faults } from '../../faults.ts';
import type { VerifyToken } from '../../principals.ts';
import { createAccess } from './access.ts';
import { openCbsLink } from './cbs.ts';
import { createClaims } from './claims.ts';
import { entityNotFound, idleTimeout, notAllowed, transactionsNotSupported } from './conditions.ts';
import type { AmqpRefusal } from './conditions.ts';
import { cbsPath, managementTarget, normalPath } from './entities.ts';
import type { Entities } from './entities.ts';
import { openManagementLink } from './management.ts';
import { createOpenLinks } from './open-links.ts';
import { attachReceiver } from './receiver-attach.ts';
import { createReplyLinks } from './reply-link.ts';
import { coordinatorAddress, prepareAttach, readUndecoded, socketOf } from './rhea-internals.ts';
import type { Authorize } from './rights.ts';
import { openSendingLink } from './sending-link.ts';

export interface ConnectionOptions {
  entities: Entities;
  verify: VerifyToken;
  authorize: Authorize;
  faults: Faults;
  now: () => Date;
  linkIdleTimeoutSeconds: number;
}

/** Serves one client's connection: its tokens, its links, and the end of all of them. */
export function serveConnection(connection: Connection, options: ConnectionOptions): void {
  const { entities, faults, now } = options;
  const replies = createReplyLinks();
  const links = createOpenLinks();
  const claims = createClaims({
    verify: options.verify,
    now,
    onExpired: () => links.detachWhere((_open, path) => access.claimRefusal(path)),
  });
  const access = createAccess(claims, options.authorize);
  const idleMilliseconds = options.linkIdleTimeoutSeconds * 1000;
  const idleCheck = setInterval(detachIdleLinks, idleMilliseconds / 2);
  idleCheck.unref();

  function detachIdleLinks(): void {
    const usedSince = now().getTime() - idleMilliseconds;
    links.detachWhere((open) => ((open.lastUsedAt?.() ?? Infinity) <= usedSince ? idleTimeout : undefined));
  }

  function refuse(link: Sender | Receiver, { condition, description }: AmqpRefusal): void {
    prepareAttach(link, {});
    link.close({ condition, description });
  }

  /** The client wants to send: tokens, management requests, or messages. */
  function onReceiverOpen(receiver: Receiver): void {
    const address = (receiver.target as typeof receiver.target | null)?.address ?? '';
    const path = normalPath(address);
    if (path === cbsPath) return openCbsLink(receiver, { claims, replies });
    if (path === coordinatorAddress) return refuse(receiver, transactionsNotSupported);
    const managed = managementTarget(path);
    const entity = entities.find(managed ?? path);
    if (entity === undefined) return refuse(receiver, entityNotFound(address));
    // What a management request needs is asked with each request; the link alone needs no more than a token.
    const refusal = managed === undefined ? access.refusal(entity, path, 'send') : access.claimRefusal(path);
    if (refusal !== undefined) return refuse(receiver, refusal);
    if (managed !== undefined) {
      const used = openManagementLink(receiver, {
        entity,
        faults,
        replies,
        links,
        now,
        refusal: (right) => access.refusal(entity, path, right),
      });
      links.add(receiver, path, used);
    } else if (entity.kind === 'queue' && !entity.sendable)
      refuse(receiver, notAllowed(`Messages can't be sent to '${address}'.`));
    else links.add(receiver, path, openSendingLink(receiver, { entity, faults, now }));
  }

  /** The client wants to receive: answers, or messages. */
  function onSenderOpen(sender: Sender): void {
    const address = (sender.source as typeof sender.source | null)?.address ?? '';
    const path = normalPath(address);
    if (path === cbsPath) return replies.open(sender);
    const managed = managementTarget(path);
    const entity = entities.find(managed ?? path);
    if (entity === undefined) return refuse(sender, entityNotFound(address));
    const refusal = managed === undefined ? access.refusal(entity, path, 'listen') : access.claimRefusal(path);
    if (refusal !== undefined) return refuse(sender, refusal);
    if (managed !== undefined) {
      replies.open(sender);
      links.add(sender, path, { close: () => replies.close(sender) });
    } else if (entity.kind === 'topic')
      refuse(sender, notAllowed(`A topic has no messages of its own: receive from a subscription of '${address}'.`));
    else links.add(sender, path, attachReceiver(sender, { entity, faults }));
  }

  function endConnection(): void {
    clearInterval(idleCheck);
    claims.close();
    links.endAll();
  }

  connection.on('session_open', ({ session }: EventContext) => session !== undefined && readUndecoded(session));
  connection.on('receiver_open', ({ receiver }: EventContext) => receiver !== undefined && onReceiverOpen(receiver));
  connection.on('sender_open', ({ sender }: EventContext) => sender !== undefined && onSenderOpen(sender));
  connection.on('receiver_close', ({ receiver }: EventContext) => links.end(receiver));
  connection.on('sender_close', ({ sender }: EventContext) => {
    links.end(sender);
    replies.close(sender);
  });
  connection.on('session_close', ({ session }: EventContext) => links.endSession(session));
  connection.on('connection_close', endConnection);
  // A socket that ends without a close makes no other sound.
  socketOf(connection).on('close', endConnection);
}
