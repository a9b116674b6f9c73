import type { Delivery, EventContext, Receiver } from 'rhea';
import type { Faults } from '../../faults.ts';
import type { Entity } from './entities.ts';
import { amqpRefusal, decodeError, messageTooLarge } from './conditions.ts';
import type { AmqpRefusal } from './conditions.ts';
import { exchange } from './faulty.ts';
import type { OpenLink } from './open-links.ts';
import { accepted, batchFormat, prepareAttach, rejected, settle, transferBytes } from './rhea-internals.ts';
import { newMessage, parseBatch, parseMessage, scheduledEnqueueTime } from './wire-message.ts';
import type { WireMessage } from './wire-message.ts';

export interface SendingLinkOptions {
  entity: Entity;
  faults: Faults;
  now: () => Date;
}

/** A link on which a client sends messages to a queue or topic. */
export function openSendingLink(receiver: Receiver, { entity, faults, now }: SendingLinkOptions): OpenLink {
  const destination = entity.kind === 'queue' ? entity.queue : entity.topic;
  const { name, maxMessageSizeBytes } = destination.settings;
  let lastUsedAt = now().getTime();
  prepareAttach(receiver, { maxMessageSizeBytes });

  receiver.on('message', ({ message, delivery }: EventContext) => {
    if (delivery === undefined) return;
    lastUsedAt = now().getTime();
    const refuse = ({ condition, description }: AmqpRefusal) => settle(delivery, rejected(condition, description));
    exchange<AmqpRefusal | undefined>({
      connection: receiver.connection,
      fault: faults.take('service-bus', 'send', name),
      effect: (again) => accept(message as unknown as Buffer, delivery, again),
      answer: (refusal) => (refusal === undefined ? settle(delivery, accepted()) : refuse(refusal)),
      refuse,
    });
  });

  function accept(bytes: Buffer, delivery: Delivery, again: boolean): AmqpRefusal | undefined {
    const sizeBytes = transferBytes(receiver);
    if (sizeBytes > maxMessageSizeBytes) return messageTooLarge(delivery.id, sizeBytes, maxMessageSizeBytes);
    const wires = parse(bytes, delivery.format);
    if (wires === undefined) return decodeError;
    try {
      enqueueAll(wires, again);
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

  return { lastUsedAt: () => lastUsedAt };
}

/** @returns undefined if the bytes are not a message, or not a batch of messages */
function parse(bytes: Buffer, format: number): WireMessage[] | undefined {
  try {
    return format === batchFormat ? parseBatch(bytes) : [parseMessage(bytes)];
  } catch {
    return undefined;
  }
}
