import rhea from 'rhea';
import type { EventContext, Receiver } from 'rhea';
import type { Faults } from '../../faults.ts';
import type { Queue } from '../engine/queue.ts';
import { decodeRequest } from './cbs.ts';
import type { Request } from './cbs.ts';
import { amqpRefusal, decodeError } from './conditions.ts';
import type { AmqpRefusal } from './conditions.ts';
import type { Right } from './rights.ts';
import type { Entity } from './entities.ts';
import { exchange } from './faulty.ts';
import { managementOperations } from './management-operations.ts';
import type { ManagementResult } from './management-operations.ts';
import type { OpenLink, OpenLinks } from './open-links.ts';
import type { ReplyLinks } from './reply-link.ts';
import { accepted, prepareAttach, rejected, settle } from './rhea-internals.ts';
import type { WireMessage } from './wire-message.ts';

export interface ManagementLinkOptions {
  entity: Entity;
  faults: Faults;
  replies: ReplyLinks;
  links: OpenLinks;
  now: () => Date;
  /** Why the client may not do what needs `right`, if it may not. */
  refusal: (right: Right) => AmqpRefusal | undefined;
}

const maxRequestBytes = 1024 * 1024;

/** The link on which a client sends an entity's management requests. */
export function openManagementLink(receiver: Receiver, options: ManagementLinkOptions): OpenLink {
  let lastUsedAt = options.now().getTime();
  prepareAttach(receiver, { maxMessageSizeBytes: maxRequestBytes });
  receiver.on('message', ({ message, delivery }: EventContext) => {
    if (delivery === undefined) return;
    lastUsedAt = options.now().getTime();
    const request = decodeRequest(message as unknown as Buffer);
    if (request === undefined) {
      settle(delivery, rejected(decodeError.condition, decodeError.description));
      return;
    }
    settle(delivery, accepted());
    serve(request);
  });

  function serve(request: Request): void {
    const { entity, faults } = options;
    const properties = (request['application_properties'] ?? {}) as Record<string, unknown>;
    const name = typeof properties['operation'] === 'string' ? properties['operation'] : '';
    const operation = managementOperations[name];
    const settings = entity.kind === 'queue' ? entity.queue.settings : entity.topic.settings;
    const answer = (result: ManagementResult | AmqpRefusal) => reply(request, result);
    if (operation === undefined) {
      answer({
        condition: 'amqp:not-implemented',
        description: `The operation '${name}' is not supported.`,
        statusCode: 501,
      });
      return;
    }
    const linkName = properties['associated-link-name'];
    const sessionLock = (queue: Queue<WireMessage>, sessionId: string) =>
      typeof linkName === 'string' ? options.links.sessionLockOf(linkName, sessionId) : queue.sessionLock(sessionId);
    const refusal = options.refusal(operation.right);
    if (refusal !== undefined) {
      answer(refusal);
      return;
    }
    exchange<ManagementResult | AmqpRefusal>({
      connection: receiver.connection,
      fault:
        operation.faultName === undefined ? undefined : faults.take('service-bus', operation.faultName, settings.name),
      effect() {
        try {
          return operation.run({ entity, request: (request['body'] ?? {}) as Record<string, unknown>, sessionLock });
        } catch (error) {
          return amqpRefusal(error);
        }
      },
      answer,
      refuse: answer,
    });
  }

  return { lastUsedAt: () => lastUsedAt };

  function reply(request: Request, result: ManagementResult | AmqpRefusal): void {
    options.replies.send(request['reply_to'], {
      correlation_id: request['message_id'],
      application_properties: {
        statusCode: rhea.types.wrap_int(result.statusCode),
        ...('condition' in result
          ? { statusDescription: result.description, errorCondition: rhea.types.wrap_symbol(result.condition) }
          : { statusDescription: 'OK' }),
      },
      body: 'condition' in result ? {} : result.body,
    });
  }
}
