import type { Delivery, EventContext, Receiver } from 'rhea';
import type { Faults } from '../../faults.ts';
import type { Entity } from './entities.ts';
import { amqpRefusal, decodeError } from './conditions.ts';
import type { AmqpRefusal } from './conditions.ts';
import { exchange } from './faulty.ts';
import { accepted, batchFormat, prepareAttach, rejected, settle } from './rhea-internals.ts';
import { newMessage, parseBatch, parseMessage, scheduledEnqueueTime } from './wire-message.ts';
import type { WireMessage } from './wire-message.ts';

export interface SendingLinkOptions {
  entity: Entity;
  faults: Faults;
}

/** A link on which a client sends messages to a queue or topic. */
export function openSendingLink(receiver: Receiver, { entity, faults }: SendingLinkOptions): void {
  const destination = entity.kind === 'queue' ? entity.queue : entity.topic;
  const { maxMessageSizeBytes } = destination.settings;
  prepareAttach(receiver, { maxMessageSizeBytes });

  receiver.on('message', ({ message, delivery }: EventContext) => {
    if (delivery === undefined) return;
    const bytes = message as unknown as Buffer;
    const refuse = (refusal: AmqpRefusal) => settle(delivery, rejected(refusal.condition, refusal.description));
    const fault = faults.take('service-bus', 'send', destination.settings.name);
    exchange<AmqpRefusal | undefined>({
      connection: receiver.connection,
      fault,
      effect: () => accept(bytes, delivery, fault?.kind === 'twice'),
      answer: (refusal) => (refusal === undefined ? settle(delivery, accepted()) : refuse(refusal)),
      refuse,
    });
  });

  function accept(bytes: Buffer, delivery: Delivery, twice: boolean): AmqpRefusal | undefined {
    if (bytes.length > maxMessageSizeBytes) {
      return {
        condition: 'amqp:link:message-size-exceeded',
        description: `The received message (delivery-id:${delivery.id}, size:${bytes.length} bytes) exceeds the limit (${maxMessageSizeBytes} bytes) currently allowed on the link.`,
        statusCode: 403,
      };
    }
    let messages: WireMessage[];
    try {
      messages = delivery.format === batchFormat ? parseBatch(bytes) : [parseMessage(bytes)];
    } catch {
      return decodeError;
    }
    try {
      enqueueAll(messages, false);
      if (twice) enqueueAll(messages, true);
      return undefined;
    } catch (error) {
      return amqpRefusal(error);
    }
  }

  function enqueueAll(wires: readonly WireMessage[], evenIfDuplicate: boolean): void {
    const messages = wires.map((wire) => ({ message: newMessage(wire), at: scheduledEnqueueTime(wire) }));
    // All or nothing: a message that can't be taken must be found before the first one is in.
    for (const { message } of messages) destination.check(message);
    for (const { message, at } of messages) {
      if (at === undefined) destination.enqueue(message, { evenIfDuplicate });
      else destination.schedule(message, at);
    }
  }
}
