import rhea from 'rhea';
import type { QueuedMessage, SessionLock, Settlement } from '../engine/message.ts';
import type { Queue } from '../engine/queue.ts';
import { Refusal } from '../engine/refusal.ts';
import type { Right } from './rights.ts';
import type { Entity } from './entities.ts';
import { uuidBytes, uuidFromBytes } from './lock-token.ts';
import { deadLetter } from './settlements.ts';
import { encodeMessage, newMessage, parseMessage, scheduledEnqueueTime } from './wire-message.ts';
import type { WireMessage } from './wire-message.ts';

export interface ManagementResult {
  statusCode: number;
  body: Record<string, unknown>;
}

export interface ManagementOperation {
  right: Right;
  /** How tests name the operation when they ask for a fault; absent: it can't suffer one. */
  faultName?: string;
  /** @throws Refusal */
  run(call: ManagementCall): ManagementResult;
}

export interface ManagementCall {
  entity: Entity;
  request: Record<string, unknown>;
  /** The lock that the caller holds on the session. @throws Refusal `session-lock-lost` */
  sessionLock: (queue: Queue<WireMessage>, sessionId: string) => SessionLock;
}

const { types } = rhea;
const timestampCode = 0x83;
const longCode = 0x81;

const ok = (body: Record<string, unknown> = {}): ManagementResult => ({ statusCode: 200, body });

export const managementOperations: Readonly<Record<string, ManagementOperation>> = {
  'com.microsoft:renew-lock': {
    right: 'listen',
    faultName: 'renewLock',
    run({ entity, request }) {
      const queue = queueOf(entity);
      const expirations = lockTokens(request).map((token) => queue.renewLock(token));
      return ok({ expirations: types.wrap_array(expirations, timestampCode, undefined) });
    },
  },
  'com.microsoft:renew-session-lock': {
    right: 'listen',
    faultName: 'renewSessionLock',
    run({ entity, request, sessionLock }) {
      const queue = queueOf(entity);
      return ok({ expiration: new Date(queue.renewSessionLock(sessionLock(queue, text(request, 'session-id')))) });
    },
  },
  'com.microsoft:peek-message': {
    right: 'listen',
    run({ entity, request }) {
      const messages = queueOf(entity).peek({
        fromSequenceNumber: sequenceNumber(request['from-sequence-number']),
        count: count(request, 'message-count'),
        sessionId: optionalText(request, 'session-id'),
      });
      return messages.length === 0
        ? { statusCode: 204, body: {} }
        : ok({ messages: messages.map((message) => ({ message: encodeMessage(message) })) });
    },
  },
  'com.microsoft:schedule-message': {
    right: 'send',
    faultName: 'schedule',
    run({ entity, request }) {
      const destination = entity.kind === 'queue' ? entity.queue : entity.topic;
      const scheduled = list(request, 'messages').map((entry) => {
        const wire = wireMessage(entry['message']);
        const at = scheduledEnqueueTime(wire);
        if (at === undefined)
          throw new Refusal('argument-error', 'A message to be scheduled needs the time at which to enqueue it.');
        const message = newMessage(wire);
        destination.check(message);
        return { message, at };
      });
      const numbers = scheduled.map(({ message, at }) => destination.schedule(message, at));
      return ok({ 'sequence-numbers': types.wrap_array(numbers, longCode, undefined) });
    },
  },
  'com.microsoft:cancel-scheduled-message': {
    right: 'send',
    faultName: 'cancelScheduled',
    run({ entity, request }) {
      const destination = entity.kind === 'queue' ? entity.queue : entity.topic;
      destination.cancelScheduled(sequenceNumbers(request));
      return ok();
    },
  },
  'com.microsoft:receive-by-sequence-number': {
    right: 'listen',
    run(call) {
      const { entity, request } = call;
      const queue = queueOf(entity);
      const messages = queue.receiveDeferred({
        sequenceNumbers: sequenceNumbers(request),
        mode: request['receiver-settle-mode'] === 0 ? 'receive-and-delete' : 'peek-lock',
        session: heldSession(call, queue),
      });
      return ok({ messages: messages.map(receivedEntry) });
    },
  },
  'com.microsoft:update-disposition': {
    right: 'listen',
    faultName: 'updateDisposition',
    run(call) {
      const { entity, request } = call;
      const queue = queueOf(entity);
      const settlement = requestedSettlement(request);
      const session = heldSession(call, queue);
      for (const token of lockTokens(request)) queue.settle(token, settlement, session);
      return ok();
    },
  },
  'com.microsoft:get-session-state': {
    right: 'listen',
    run: ({ entity, request }) =>
      ok({ 'session-state': queueOf(entity).sessionState(text(request, 'session-id')) ?? null }),
  },
  'com.microsoft:set-session-state': {
    right: 'listen',
    run({ entity, request, sessionLock }) {
      const queue = queueOf(entity);
      const state = request['session-state'];
      queue.setSessionState(
        sessionLock(queue, text(request, 'session-id')),
        Buffer.isBuffer(state) ? Buffer.from(state) : undefined,
      );
      return ok();
    },
  },
  'com.microsoft:get-message-sessions': {
    right: 'listen',
    run({ entity, request }) {
      const since = request['last-updated-time'];
      const skip = count(request, 'skip');
      const ids = queueOf(entity)
        .sessionIds(since instanceof Date ? since : new Date(0))
        .slice(skip, skip + count(request, 'top'));
      return ids.length === 0
        ? { statusCode: 204, body: {} }
        : ok({ skip: types.wrap_int(skip + ids.length), 'sessions-ids': ids });
    },
  },
};

function queueOf(entity: Entity): Queue<WireMessage> {
  if (entity.kind === 'topic') throw new Refusal('not-allowed', 'The operation is not possible on a topic.');
  return entity.queue;
}

function receivedEntry(message: QueuedMessage<WireMessage>): Record<string, unknown> {
  const token = message.lock?.token;
  return {
    message: encodeMessage(message),
    ...(token !== undefined && { 'lock-token': types.wrap_uuid(uuidBytes(token)) }),
  };
}

function heldSession(call: ManagementCall, queue: Queue<WireMessage>): SessionLock | undefined {
  return queue.settings.requiresSession ? call.sessionLock(queue, text(call.request, 'session-id')) : undefined;
}

function requestedSettlement(request: Record<string, unknown>): Settlement {
  const properties = (request['properties-to-modify'] ?? {}) as Record<string, unknown>;
  switch (request['disposition-status']) {
    case 'completed':
      return { kind: 'complete' };
    case 'abandoned':
      return { kind: 'abandon', properties };
    // Spelled like this on the wire.
    case 'defered':
      return { kind: 'defer', properties };
    case 'suspended':
      return deadLetter({
        ...properties,
        DeadLetterReason: request['deadletter-reason'],
        DeadLetterErrorDescription: request['deadletter-description'],
      });
    default:
      throw new Refusal(
        'argument-error',
        `The disposition '${String(request['disposition-status'])}' is not supported.`,
      );
  }
}

function wireMessage(bytes: unknown): WireMessage {
  if (!Buffer.isBuffer(bytes)) throw new Refusal('argument-error', "A message is needed in 'message'.");
  try {
    return parseMessage(bytes);
  } catch {
    throw new Refusal('argument-error', 'The message is not a valid AMQP message.');
  }
}

function lockTokens(request: Record<string, unknown>): string[] {
  return array(request, 'lock-tokens').map((token) => {
    if (!Buffer.isBuffer(token) || token.length !== 16)
      throw new Refusal('argument-error', "'lock-tokens' must hold UUIDs.");
    return uuidFromBytes(token);
  });
}

function sequenceNumbers(request: Record<string, unknown>): number[] {
  return array(request, 'sequence-numbers').map(sequenceNumber);
}

/** Numbers beyond 2^53 come as bytes, and are beyond anything that has been assigned. */
function sequenceNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  if (Buffer.isBuffer(value)) return Number(value.readBigInt64BE());
  throw new Refusal('argument-error', 'A sequence number must be a long.');
}

function array(request: Record<string, unknown>, name: string): unknown[] {
  const value = request[name];
  if (!Array.isArray(value)) throw new Refusal('argument-error', `'${name}' must be an array.`);
  return value as unknown[];
}

function list(request: Record<string, unknown>, name: string): Record<string, unknown>[] {
  return array(request, name).map((entry) =>
    typeof entry === 'object' && entry !== null ? (entry as Record<string, unknown>) : {},
  );
}

function count(request: Record<string, unknown>, name: string): number {
  const value = request[name];
  if (typeof value !== 'number' || value < 0)
    throw new Refusal('argument-error', `'${name}' must be a number that isn't negative.`);
  return value;
}

function text(request: Record<string, unknown>, name: string): string {
  const value = optionalText(request, name);
  if (value === undefined) throw new Refusal('argument-error', `'${name}' must be a string.`);
  return value;
}

function optionalText(request: Record<string, unknown>, name: string): string | undefined {
  const value = request[name];
  return typeof value === 'string' ? value : undefined;
}
