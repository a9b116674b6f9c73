import rhea from 'rhea';
import { encodeMessage } from './amqp/wire-message.ts';
import type { WireMessage } from './amqp/wire-message.ts';
import type { MessageState, QueuedMessage } from './engine/message.ts';
import type { Queue, QueueCounts } from './engine/queue.ts';

export interface InspectedMessage {
  sequenceNumber: number;
  messageId: string;
  sessionId: string | undefined;
  state: MessageState;
  locked: boolean;
  deliveryCount: number;
  /** Parsed as JSON where it is JSON, else bytes. */
  body: unknown;
  applicationProperties: Record<string, unknown>;
}

/** A look at a queue from inside the process, past the protocol, without effect on it. */
export interface QueueInspection extends QueueCounts {
  /** All messages in any state, in order. */
  messages(): InspectedMessage[];
  deadLetters(): InspectedMessage[];
}

export function inspect(queue: Queue<WireMessage>): QueueInspection {
  return {
    get active() {
      return queue.counts().active;
    },
    get scheduled() {
      return queue.counts().scheduled;
    },
    get deferred() {
      return queue.counts().deferred;
    },
    get deadLettered() {
      return queue.counts().deadLettered;
    },
    messages: () => all(queue),
    deadLetters: () => (queue.deadLetters === undefined ? [] : all(queue.deadLetters)),
  };
}

function all(queue: Queue<WireMessage>): InspectedMessage[] {
  return queue.peek({ fromSequenceNumber: 0, count: Infinity }).map(inspected);
}

function inspected(message: QueuedMessage<WireMessage>): InspectedMessage {
  const decoded = rhea.message.decode(encodeMessage(message));
  return {
    sequenceNumber: message.sequenceNumber,
    messageId: message.messageId,
    sessionId: message.sessionId,
    state: message.state,
    locked: message.lock !== undefined,
    deliveryCount: message.deliveryCount,
    body: plainBody(decoded['body']),
    applicationProperties: (decoded['application_properties'] ?? {}) as Record<string, unknown>,
  };
}

function plainBody(body: unknown): unknown {
  const content = typeof body === 'object' && body !== null && 'content' in body ? body.content : body;
  if (!Buffer.isBuffer(content)) return content;
  try {
    return JSON.parse(content.toString()) as unknown;
  } catch {
    return content;
  }
}
