import { createHash } from 'node:crypto';
import type { DeadLetter, DeadLetterContent } from '../dead-letters.ts';
import { decodeMessage } from './wake-up.ts';

/** A dead letter as it lies in its queue. */
export interface BuriedMessage {
  /** In decimal digits. */
  sequenceNumber: string;
  sessionId: string | undefined;
  reason: string | undefined;
  description: string | undefined;
  deliveryCount: number;
  enqueuedTime: Date | undefined;
  /** The bytes of a data section; anything else that AMQP can carry, as the client decoded it. */
  body: { type: 'data'; bytes: Buffer } | { type: 'other'; value: unknown };
}

const longestText = 400;

export function describeDeadLetter(message: BuriedMessage): DeadLetter {
  return {
    id: message.sequenceNumber,
    reason: cut(message.reason ?? ''),
    description: cut(message.description ?? ''),
    deliveryCount: message.deliveryCount,
    enqueuedTime: message.enqueuedTime ?? new Date(0),
    content: contentOf(message),
  };
}

/**
 * What is ours has the form in which we send: JSON, in valid UTF-8, as data, in a session. Only that can be replayed;
 * the same text in another form was not sent by us, and sending it again would make it ours.
 */
function contentOf({ body, sessionId }: BuriedMessage): DeadLetterContent {
  const text = body.type === 'data' ? decodeUtf8(body.bytes) : undefined;
  const message = text === undefined || sessionId === undefined ? undefined : decodeMessage(parseJson(text));
  if (text !== undefined && message !== undefined) {
    const { mount, provider } = message.reference;
    const key = message.kind === 'distribution' ? message.reference.key : undefined;
    return { kind: 'ours', body: cut(text), mount, key, provider };
  }
  const bytes = body.type === 'data' ? body.bytes : Buffer.from(encode(body.value));
  return { kind: 'foreign', sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

function decodeUtf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What has no bytes of its own gets some, so that two of a kind can be told from each other. */
function encode(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '';
  }
}

function cut(text: string): string {
  return text.length <= longestText ? text : `${text.slice(0, longestText)}…`;
}
