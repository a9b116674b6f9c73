import type { Connection, EventContext, Receiver, Sender, Session } from 'rhea';
import type { Faults } from '../../faults.ts';
import type { VerifyToken } from '../../principals.ts';
import { standardTierMessageSizeBytes } from '../engine/options.ts';
import { openCbsLink } from './cbs.ts';
import { createClaims } from './claims.ts';
import { entityNotFound, unauthorized } from './conditions.ts';
import type { AmqpRefusal } from './conditions.ts';
import { normalPath } from './entities.ts';
import type { Entities, Entity } from './entities.ts';
import { openManagementLink } from './management.ts';
import { attachReceiver } from './receiver-attach.ts';
import type { OpenLink } from './receiver-attach.ts';
import { openReplyLink } from './reply-link.ts';
import type { ReplyLink } from './reply-link.ts';
import { prepareAttach, receiveUndecoded, socketOf } from './rhea-internals.ts';
import type { Authorize, Right } from './rights.ts';
import { openSendingLink } from './sending-link.ts';

export interface ConnectionOptions {
  entities: Entities;
  verify: VerifyToken;
  authorize: Authorize;
  faults: Faults;
  now: () => Date;
}

const managementSuffix = '/$management';

/** Serves one client's connection: its tokens, its links, and the end of all of them. */
export function serveConnection(connection: Connection, options: ConnectionOptions): void {
  const { entities, faults } = options;
  const replyLinks = new Map<string, ReplyLink>();
  const openLinks = new Map<Sender | Receiver, { open: OpenLink; path: string; right: Right }>();
  const claims = createClaims({ verify: options.verify, now: options.now, onExpired: closeUnclaimedLinks });

  /** @returns why a link to the entity must be refused, if it must. */
  function accessRefusal(entity: Entity, path: string, right: Right): AmqpRefusal | undefined {
    const principal = claims.principalFor(path);
    if (principal === undefined)
      return unauthorized(`Unauthorized access. A valid token for '${path}' is required to perform this operation.`);
    if (options.authorize(principal, entity.securedPath, right)) return undefined;
    const claim = right === 'listen' ? 'Listen' : right === 'send' ? 'Send' : 'Manage';
    return unauthorized(
      `Unauthorized access. '${claim}' claim(s) are required to perform this operation. Resource: '${path}'.`,
    );
  }

  function closeUnclaimedLinks(): void {
    for (const [link, { open, path }] of openLinks) {
      if (claims.principalFor(path) !== undefined) continue;
      forgetLink(link);
      open.close();
      const { condition, description } = unauthorized(`The token for '${path}' has expired.`);
      link.close({ condition, description });
    }
  }

  function refuseLink(link: Sender | Receiver, refusal: AmqpRefusal): void {
    prepareAttach(link, {});
    link.close({ condition: refusal.condition, description: refusal.description });
  }

  function onReceiverOpen(receiver: Receiver): void {
    const address = (receiver.target as typeof receiver.target | null)?.address ?? '';
    const path = normalPath(address);
    if (path === '$cbs') {
      openCbsLink(receiver, {
        claims,
        replyLink: (name) => replyLinks.get(name),
        maxMessageSizeBytes: standardTierMessageSizeBytes,
      });
      return;
    }
    const isManagement = path.endsWith(managementSuffix);
    const entity = entities.find(isManagement ? path.slice(0, -managementSuffix.length) : path);
    if (entity === undefined) {
      refuseLink(receiver, entityNotFound(address));
      return;
    }
    if (isManagement) {
      // What a request needs is asked for with each request; the link alone needs no more than a token.
      if (claims.principalFor(path) === undefined) {
        refuseLink(
          receiver,
          unauthorized(`Unauthorized access. A valid token for '${path}' is required to perform this operation.`),
        );
        return;
      }
      openManagementLink(receiver, {
        entity,
        faults,
        replyLink: (name) => replyLinks.get(name),
        refusal: (right) => accessRefusal(entity, path, right),
      });
      openLinks.set(receiver, { open: { close: () => undefined }, path, right: 'listen' });
      return;
    }
    const refusal = accessRefusal(entity, path, 'send');
    if (refusal !== undefined) refuseLink(receiver, refusal);
    else if (entity.kind === 'queue' && !entity.sendable) {
      refuseLink(receiver, {
        condition: 'amqp:not-allowed',
        description: `Messages can't be sent to '${address}'.`,
        statusCode: 400,
      });
    } else {
      openSendingLink(receiver, { entity, faults });
      openLinks.set(receiver, { open: { close: () => undefined }, path, right: 'send' });
    }
  }

  function onSenderOpen(sender: Sender): void {
    const address = (sender.source as typeof sender.source | null)?.address ?? '';
    const path = normalPath(address);
    if (path === '$cbs' || path.endsWith(managementSuffix)) {
      const link = openReplyLink(sender);
      replyLinks.set(sender.name, link);
      const target = (sender.target as typeof sender.target | null)?.address;
      if (target) replyLinks.set(target, link);
      return;
    }
    const entity = entities.find(path);
    if (entity === undefined) {
      refuseLink(sender, entityNotFound(address));
      return;
    }
    const refusal = accessRefusal(entity, path, 'listen');
    if (refusal !== undefined) refuseLink(sender, refusal);
    else if (entity.kind === 'topic') {
      refuseLink(sender, {
        condition: 'amqp:not-allowed',
        description: `A topic has no messages of its own: receive from a subscription of '${address}'.`,
        statusCode: 400,
      });
    } else openLinks.set(sender, { open: attachReceiver(sender, { entity, faults }), path, right: 'listen' });
  }

  function forgetLink(link: Sender | Receiver): void {
    openLinks.delete(link);
  }

  function endLink(link: Sender | Receiver | undefined): void {
    if (link === undefined) return;
    const entry = openLinks.get(link);
    forgetLink(link);
    replyLinks.delete(link.name);
    entry?.open.close();
  }

  function endSession(session: Session | undefined): void {
    for (const link of [...openLinks.keys()]) if (link.session === session) endLink(link);
  }

  function endConnection(): void {
    claims.close();
    replyLinks.clear();
    for (const link of [...openLinks.keys()]) endLink(link);
  }

  connection.on('session_open', ({ session }: EventContext) => {
    if (session !== undefined) receiveUndecoded(session, () => undefined);
  });
  connection.on('receiver_open', ({ receiver }: EventContext) => receiver !== undefined && onReceiverOpen(receiver));
  connection.on('sender_open', ({ sender }: EventContext) => sender !== undefined && onSenderOpen(sender));
  connection.on('receiver_close', ({ receiver }: EventContext) => endLink(receiver));
  connection.on('sender_close', ({ sender }: EventContext) => endLink(sender));
  connection.on('session_close', ({ session }: EventContext) => endSession(session));
  connection.on('connection_close', endConnection);
  // A socket that ends without a close makes no other sound.
  socketOf(connection).on('close', endConnection);
}
