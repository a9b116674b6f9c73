import type { Fault } from '../../faults.ts';
import { Refusal } from '../engine/refusal.ts';
import type { RefusalCode } from '../engine/refusal.ts';

/** An error as it travels: in a detach, a disposition or a management reply. */
export interface AmqpRefusal {
  condition: string;
  description: string;
  /** For management replies. */
  statusCode: number;
}

const byCode: Record<RefusalCode, { condition: string; statusCode: number }> = {
  'message-lock-lost': { condition: 'com.microsoft:message-lock-lost', statusCode: 410 },
  'session-lock-lost': { condition: 'com.microsoft:session-lock-lost', statusCode: 410 },
  'session-cannot-be-locked': { condition: 'com.microsoft:session-cannot-be-locked', statusCode: 410 },
  'message-not-found': { condition: 'com.microsoft:message-not-found', statusCode: 404 },
  'argument-error': { condition: 'com.microsoft:argument-error', statusCode: 400 },
  'not-allowed': { condition: 'amqp:not-allowed', statusCode: 400 },
};

export const unauthorized = (description: string): AmqpRefusal => ({
  condition: 'amqp:unauthorized-access',
  description,
  statusCode: 401,
});

/** The client recognises a missing entity by the sentence as much as by the condition. */
export const entityNotFound = (address: string): AmqpRefusal => ({
  condition: 'amqp:not-found',
  description: `The messaging entity '${address}' could not be found.`,
  statusCode: 404,
});

export const decodeError: AmqpRefusal = {
  condition: 'amqp:decode-error',
  description: 'The message is not a valid AMQP message.',
  statusCode: 400,
};

export const messageTooLarge = (deliveryId: number, sizeBytes: number, limitBytes: number): AmqpRefusal => ({
  condition: 'amqp:link:message-size-exceeded',
  description: `The received message (delivery-id:${deliveryId}, size:${sizeBytes} bytes) exceeds the limit (${limitBytes} bytes) currently allowed on the link.`,
  statusCode: 403,
});

export const noSessionInTime: AmqpRefusal = {
  condition: 'com.microsoft:timeout',
  description:
    'The operation did not complete within the allotted timeout: there was no session with messages to accept.',
  statusCode: 408,
};

export const notAllowed = (description: string): AmqpRefusal => ({
  condition: 'amqp:not-allowed',
  description,
  statusCode: 400,
});

export const transactionsNotSupported: AmqpRefusal = {
  condition: 'amqp:not-implemented',
  description: 'Transactions are not supported.',
  statusCode: 501,
};

export const idleTimeout: AmqpRefusal = {
  condition: 'amqp:link:detach-forced',
  description: 'The link was detached because it has not been used for longer than the idle timeout.',
  statusCode: 500,
};

export const internalError: AmqpRefusal = {
  condition: 'amqp:internal-error',
  description: 'The service was unable to process the request; please retry the operation.',
  statusCode: 500,
};

/** @throws error itself, if it isn't a Refusal */
export function amqpRefusal(error: unknown): AmqpRefusal {
  if (!(error instanceof Refusal)) throw error;
  return { ...byCode[error.code], description: error.message };
}

/** How a fault that refuses looks on the wire. */
export function faultRefusal(fault: Extract<Fault, { kind: 'refuse' | 'throttle' }>): AmqpRefusal {
  if (fault.kind === 'throttle') {
    return {
      condition: 'com.microsoft:server-busy',
      description: 'The request was terminated because the entity is being throttled.',
      statusCode: 503,
    };
  }
  return {
    condition: fault.code ?? internalError.condition,
    description: fault.message ?? internalError.description,
    statusCode: fault.status ?? internalError.statusCode,
  };
}
