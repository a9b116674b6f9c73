import { randomUUID } from 'node:crypto';
import type { Delivery, EventContext, Sender } from 'rhea';
import type { Faults } from '../../faults.ts';
import type { QueuedMessage, SessionLock } from '../engine/message.ts';
import type { Queue, ReceiveMode } from '../engine/queue.ts';
import { faultRefusal, internalError } from './conditions.ts';
import type { Consumer, Dispatcher } from './dispatcher.ts';
import { breakConnection } from './faulty.ts';
import { deliveryTag } from './lock-token.ts';
import type { OpenLink } from './open-links.ts';
import { answerDrain, freeCredit } from './rhea-internals.ts';
import { settleOnDisposition } from './settlements.ts';
import { encodeMessage } from './wire-message.ts';
import type { WireMessage } from './wire-message.ts';

export interface DeliveringLinkOptions {
  queue: Queue<WireMessage>;
  dispatcher: Dispatcher;
  faults: Faults;
  /** Absent on a queue without sessions. */
  session: SessionLock | undefined;
}

interface Transfer {
  bytes: Buffer;
  tag: Buffer;
}

function transferOf(message: QueuedMessage<WireMessage>): Transfer {
  return { bytes: encodeMessage(message), tag: deliveryTag(message.lock?.token ?? randomUUID()) };
}

/**
 * A link, attached already, on which a client receives the messages of a queue or of one of its sessions. When it closes,
 * what was delivered stays locked, except under a session's lock, which ends with the link.
 */
export function startDelivering(sender: Sender, options: DeliveringLinkOptions): OpenLink {
  const { queue, dispatcher, faults, session } = options;
  const mode: ReceiveMode = sender.snd_settle_mode === 1 ? 'receive-and-delete' : 'peek-lock';
  /** Taken from the queue, but not sent before its time or before there is credit again. */
  const late: { transfer: Transfer; due: boolean }[] = [];
  let closed = false;
  let broken = false;
  let draining = false;

  const consumer: Consumer = {
    session,
    canTake: () => !closed && !broken && late.length === 0 && freeCredit(sender) > 0,
    take,
    idle() {
      if (!draining) return;
      draining = false;
      answerDrain(sender);
    },
  };

  function take(): void {
    const fault = faults.take('service-bus', 'deliver', queue.settings.name);
    switch (fault?.kind) {
      case 'refuse':
      case 'throttle':
        detach(faultRefusal(fault));
        return;
      case 'reset':
        breakOff();
        return;
      case 'drop-reply':
        queue.receive({ mode, session });
        breakOff();
        return;
      case 'fail-after-effect':
        queue.receive({ mode, session });
        detach(internalError);
        return;
      case 'delay':
      case 'twice':
      case undefined: {
        const message = queue.receive({ mode, session, leaveCopy: fault?.kind === 'twice' });
        if (message === undefined) return;
        if (fault?.kind === 'delay') delay(message, fault.milliseconds);
        else send(transferOf(message));
      }
    }
  }

  function delay(message: QueuedMessage<WireMessage>, milliseconds: number): void {
    // Encoded now: the client must see the lock that it was given then, even if that has run out meanwhile.
    const entry = { transfer: transferOf(message), due: false };
    late.push(entry);
    setTimeout(() => {
      entry.due = true;
      sendLate();
    }, milliseconds).unref();
  }

  function sendLate(): void {
    while (!closed && late[0]?.due === true && freeCredit(sender) > 0)
      send((late.shift() as (typeof late)[0]).transfer);
    dispatcher.wake();
  }

  function send({ bytes, tag }: Transfer): void {
    sender.send(bytes, tag, 0);
  }

  function breakOff(): void {
    broken = true;
    breakConnection(sender.connection);
  }

  function detach(refusal: { condition: string; description: string }): void {
    close();
    sender.close({ condition: refusal.condition, description: refusal.description });
  }

  function close(): void {
    if (closed) return;
    closed = true;
    dispatcher.removeConsumer(consumer);
    if (session !== undefined) queue.closeSession(session);
  }

  sender.on('sender_flow', sendLate);
  sender.on('sender_draining', () => {
    draining = true;
    dispatcher.wake();
  });
  for (const outcome of ['accepted', 'released', 'rejected', 'modified'] as const) {
    sender.on(outcome, ({ delivery }: EventContext) => {
      settleOnDisposition(delivery as Delivery, outcome, { queue, session, faults, connection: sender.connection });
      // The room that the settled delivery took may be what the link was waiting for.
      dispatcher.wake();
    });
  }
  dispatcher.addConsumer(consumer);
  dispatcher.wake();
  return { close };
}
