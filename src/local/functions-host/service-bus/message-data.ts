import type { ServiceBusReceivedMessage } from '@azure/service-bus';
import type { RpcTypedData } from '../rpc.ts';

/** What a Service Bus trigger hands to its function. */
export interface MessageData {
  data: RpcTypedData;
  triggerMetadata: Record<string, RpcTypedData>;
}

/**
 * Turns a message, received without parsing its body, into trigger data. As in the real host the top-level fields of a
 * JSON body become metadata too, and overwrite the message's own.
 * @param asBytes the trigger has `dataType: 'binary'`
 */
export function toMessageData(message: ServiceBusReceivedMessage, asBytes: boolean): MessageData {
  const bytes = bodyBytes(message.body);
  const text = bytes.toString('utf8');
  return {
    data: asBytes ? { bytes } : { string: text },
    triggerMetadata: overwrite(ownMetadata(message), text),
  };
}

function bodyBytes(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  if (body === undefined || body === null) return Buffer.alloc(0);
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function ownMetadata(message: ServiceBusReceivedMessage): Record<string, RpcTypedData> {
  const values: Record<string, unknown> = {
    // The client counts earlier deliveries, the host this one too.
    DeliveryCount: (message.deliveryCount ?? 0) + 1,
    LockToken: message.lockToken,
    ExpiresAtUtc: expiry(message.expiresAtUtc),
    EnqueuedTimeUtc: message.enqueuedTimeUtc,
    MessageId: message.messageId,
    ContentType: message.contentType,
    ReplyTo: message.replyTo,
    SequenceNumber: message.sequenceNumber && Number(message.sequenceNumber.toString()),
    Label: message.subject,
    CorrelationId: message.correlationId,
    UserProperties: message.applicationProperties ?? {},
  };
  return Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([name, value]) => [name, toRpc(value)]),
  );
}

/** JavaScript's calendar goes on after the year 9999, .NET's doesn't. */
function expiry(time: Date | undefined): unknown {
  return time && time.getUTCFullYear() > 9999 ? '9999-12-31T23:59:59.9999999Z' : time;
}

/** What can't be read, because it is nested too deeply for instance, changes nothing. */
function overwrite(metadata: Record<string, RpcTypedData>, text: string): Record<string, RpcTypedData> {
  const namesByLowerCase = new Map(Object.keys(metadata).map((name) => [name.toLowerCase(), name]));
  const result = new Map(Object.entries(metadata));
  try {
    for (const [name, value] of Object.entries(parseObject(text))) {
      const taken = namesByLowerCase.get(name.toLowerCase()) ?? name;
      namesByLowerCase.set(name.toLowerCase(), taken);
      result.set(taken, toRpc(value));
    }
  } catch {
    return metadata;
  }
  return Object.fromEntries(result);
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}

function toRpc(value: unknown): RpcTypedData {
  if (typeof value === 'string') return { string: value };
  if (Number.isSafeInteger(value)) return { int: value as number };
  return { json: JSON.stringify(value) };
}
