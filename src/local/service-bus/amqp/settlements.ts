import type { Connection, Delivery } from 'rhea';
import type { Faults } from '../../faults.ts';
import type { SessionLock, Settlement } from '../engine/message.ts';
import type { Queue } from '../engine/queue.ts';
import { amqpRefusal } from './conditions.ts';
import type { AmqpRefusal } from './conditions.ts';
import { exchange } from './faulty.ts';
import { lockTokenOfTag } from './lock-token.ts';
import { accepted, rejected, settle } from './rhea-internals.ts';
import type { WireMessage } from './wire-message.ts';

export type Outcome = 'accepted' | 'released' | 'rejected' | 'modified';

/** How tests name a settlement when they ask for a fault. */
export const settlementOperation: Record<Settlement['kind'], string> = {
  complete: 'complete',
  abandon: 'abandon',
  release: 'abandon',
  defer: 'defer',
  'dead-letter': 'deadLetter',
};

export interface SettlementContext {
  queue: Queue<WireMessage>;
  session: SessionLock | undefined;
  faults: Faults;
  connection: Connection;
}

/** Does what a client's disposition asks for, and settles the delivery with what became of it. */
export function settleOnDisposition(delivery: Delivery, outcome: Outcome, context: SettlementContext): void {
  if (delivery.settled) return;
  const { queue, session, faults, connection } = context;
  const settlement = settlementOf(outcome, delivery.remote_state ?? {});
  const refuse = ({ condition, description }: AmqpRefusal) => settle(delivery, rejected(condition, description));
  exchange<AmqpRefusal | undefined>({
    connection,
    fault: faults.take('service-bus', settlementOperation[settlement.kind], queue.settings.name),
    effect() {
      try {
        queue.settle(lockTokenOfTag(delivery.tag), settlement, session);
        return undefined;
      } catch (error) {
        return amqpRefusal(error);
      }
    },
    answer: (refusal) => (refusal === undefined ? settle(delivery, accepted()) : refuse(refusal)),
    refuse,
  });
}

function settlementOf(outcome: Outcome, state: Record<string, unknown>): Settlement {
  switch (outcome) {
    case 'accepted':
      return { kind: 'complete' };
    case 'released':
      return { kind: 'release' };
    case 'modified': {
      const properties = (state['message_annotations'] ?? {}) as Record<string, unknown>;
      return { kind: state['undeliverable_here'] === true ? 'defer' : 'abandon', properties };
    }
    case 'rejected': {
      const error = (state['error'] ?? {}) as { info?: Record<string, unknown> | null };
      return deadLetter(error.info ?? {});
    }
  }
}

/** @param info the reason, the description and any other application properties */
export function deadLetter(info: Record<string, unknown>): Settlement {
  const { DeadLetterReason: reason, DeadLetterErrorDescription: description, ...properties } = info;
  return {
    kind: 'dead-letter',
    ...(typeof reason === 'string' && { reason }),
    ...(typeof description === 'string' && { description }),
    properties,
  };
}
