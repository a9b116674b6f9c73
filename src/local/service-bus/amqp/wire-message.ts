import { randomUUID } from 'node:crypto';
import type { Typed } from 'rhea';
import type { NewMessage, QueuedMessage } from '../engine/message.ts';
import { types } from './rhea-internals.ts';

/** Codes of a message's sections, and the places of fields in those that are lists. */
const section = {
  header: 0x70,
  deliveryAnnotations: 0x71,
  messageAnnotations: 0x72,
  properties: 0x73,
  applicationProperties: 0x74,
  data: 0x75,
  footer: 0x78,
} as const;
const headerField = { durable: 0, priority: 1, timeToLive: 2 } as const;
const propertyField = {
  messageId: 0,
  to: 2,
  subject: 3,
  replyTo: 4,
  correlationId: 5,
  contentType: 6,
  groupId: 10,
  replyToGroupId: 12,
} as const;

const symbolicCodes: Record<string, number> = {
  'amqp:header:list': 0x70,
  'amqp:delivery-annotations:map': 0x71,
  'amqp:message-annotations:map': 0x72,
  'amqp:properties:list': 0x73,
  'amqp:application-properties:map': 0x74,
  'amqp:data:binary': 0x75,
  'amqp:amqp-sequence:list': 0x76,
  'amqp:amqp-value:*': 0x77,
  'amqp:footer:map': 0x78,
};

export type PropertyName = keyof typeof propertyField;

/** A message as it came, cut into sections; only what the broker itself reads or changes has been decoded. */
export interface WireMessage {
  durable: Typed;
  priority: Typed;
  timeToLiveMilliseconds: number | undefined;
  annotations: ReadonlyMap<string, Typed>;
  properties: readonly Typed[];
  /** The whole section as it came. */
  applicationProperties: Buffer | undefined;
  /** Body sections and footer as they came. */
  body: Buffer;
}

/** @throws anything if `bytes` is not an AMQP message */
export function parseMessage(bytes: Buffer): WireMessage {
  const reader = new types.Reader(bytes);
  const sections = new Map<number, Typed>();
  const slices = new Map<number, Buffer>();
  const body: Buffer[] = [];
  while (reader.remaining() > 0) {
    const start = reader.position;
    const value = reader.read();
    if (reader.remaining() < 0) throw new RangeError('section exceeds message');
    const code = sectionCode(value);
    if (code >= section.data) body.push(bytes.subarray(start, reader.position));
    else {
      sections.set(code, value);
      slices.set(code, bytes.subarray(start, reader.position));
    }
  }
  if (body.length === 0) throw new RangeError('message without a body');
  const header = items(sections.get(section.header));
  const applicationProperties = slices.get(section.applicationProperties);
  return {
    durable: header[headerField.durable] ?? types.Null(),
    priority: header[headerField.priority] ?? types.Null(),
    timeToLiveMilliseconds: plain(header[headerField.timeToLive]) as number | undefined,
    annotations: entries(sections.get(section.messageAnnotations)),
    properties: items(sections.get(section.properties)),
    // Copies: a slice would keep the whole network buffer alive for as long as the message is queued.
    applicationProperties: applicationProperties && Buffer.from(applicationProperties),
    body: Buffer.concat(body),
  };
}

/** The messages of one transfer in Service Bus' batch format. @throws anything if it is malformed */
export function parseBatch(bytes: Buffer): WireMessage[] {
  const reader = new types.Reader(bytes);
  const messages: WireMessage[] = [];
  while (reader.remaining() > 0) {
    const value = reader.read();
    if (sectionCode(value) === section.data) messages.push(parseMessage(value.value as Buffer));
  }
  return messages;
}

/** Reads what the engine needs to know, and gives the message an id if it has none: clients can't renew locks without. */
export function newMessage(wire: WireMessage): NewMessage<WireMessage> {
  const givenId = property(wire, 'messageId');
  const messageId = givenId === undefined ? randomUUID().replaceAll('-', '') : idText(givenId);
  const properties = [...wire.properties];
  if (givenId === undefined) properties[propertyField.messageId] = types.wrap_string(messageId);
  const sessionId = property(wire, 'groupId');
  return {
    messageId,
    sessionId: typeof sessionId === 'string' ? sessionId : undefined,
    timeToLiveMilliseconds: wire.timeToLiveMilliseconds,
    payload: { ...wire, properties },
  };
}

export function scheduledEnqueueTime(wire: WireMessage): Date | undefined {
  const time = plain(wire.annotations.get('x-opt-scheduled-enqueue-time'));
  return time instanceof Date ? time : undefined;
}

export function property(wire: WireMessage, name: PropertyName): unknown {
  return plain(wire.properties[propertyField[name]]);
}

export function applicationProperties(wire: WireMessage): ReadonlyMap<string, Typed> {
  return wire.applicationProperties === undefined
    ? new Map()
    : entries(new types.Reader(wire.applicationProperties).read());
}

const maxUint = 0xffffffff;

const stateCodes = { active: 0, deferred: 1, scheduled: 2 } as const;

/** A queued message for the client: as it was sent, with the broker's header, annotations and changed properties. */
export function encodeMessage(message: QueuedMessage<WireMessage>): Buffer {
  const wire = message.payload;
  const timeToLive = effectiveTimeToLive(message);
  const lockedUntil = message.lock?.session?.untilMilliseconds ?? message.lock?.untilMilliseconds;
  const annotations = new Map<string, Typed>(wire.annotations);
  annotations.set('x-opt-sequence-number', types.wrap_long(message.sequenceNumber));
  annotations.set('x-opt-enqueued-time', types.wrap_timestamp(message.enqueuedAtMilliseconds));
  annotations.set('x-opt-message-state', types.wrap_int(stateCodes[message.state]));
  if (message.enqueuedSequenceNumber !== undefined) {
    annotations.set('x-opt-enqueue-sequence-number', types.wrap_long(message.enqueuedSequenceNumber));
  }
  if (lockedUntil !== undefined) annotations.set('x-opt-locked-until', types.wrap_timestamp(lockedUntil));
  if (message.deadLetterSource !== undefined) {
    annotations.set('x-opt-deadletter-source', types.wrap_string(message.deadLetterSource));
  }
  const writer = new types.Writer();
  const header = [
    wire.durable,
    wire.priority,
    timeToLive === undefined ? types.Null() : types.wrap_uint(timeToLive),
    types.Null(),
    types.wrap_uint(message.deliveryCount),
  ];
  writer.write(described(section.header, types.List32(header)));
  writer.write(
    described(
      section.messageAnnotations,
      mapOf(annotations, (key) => types.wrap_symbol(key)),
    ),
  );
  writer.write(described(section.properties, types.List32(wire.properties.map((value) => value ?? types.Null()))));
  return Buffer.concat([writer.toBuffer(), encodeApplicationProperties(message), wire.body]);
}

/** The entity's own limit shows in the header as well, where it is the shorter one. */
function effectiveTimeToLive(message: QueuedMessage<WireMessage>): number | undefined {
  if (message.expiresAtMilliseconds === Infinity) return message.payload.timeToLiveMilliseconds;
  return Math.min(message.expiresAtMilliseconds - message.enqueuedAtMilliseconds, maxUint);
}

function encodeApplicationProperties(message: QueuedMessage<WireMessage>): Buffer {
  const changes = Object.entries(message.changedProperties);
  if (changes.length === 0) return message.payload.applicationProperties ?? Buffer.alloc(0);
  const merged = new Map<string, Typed>(applicationProperties(message.payload));
  for (const [name, value] of changes) merged.set(name, types.wrap(value));
  const writer = new types.Writer();
  writer.write(
    described(
      section.applicationProperties,
      mapOf(merged, (key) => types.wrap_string(key)),
    ),
  );
  return writer.toBuffer();
}

function described(code: number, value: Typed): Typed {
  return types.described(types.wrap_ulong(code), value) as Typed;
}

function mapOf(map: ReadonlyMap<string, Typed>, wrapKey: (key: string) => Typed): Typed {
  return types.Map32([...map].flatMap(([key, value]) => [wrapKey(key), value]));
}

function sectionCode(value: Typed): number {
  const descriptor: unknown = (value.descriptor as Typed | undefined)?.value;
  const code = typeof descriptor === 'string' ? symbolicCodes[descriptor] : Number(descriptor);
  if (code === undefined || !(code >= section.header && code <= section.footer))
    throw new RangeError('unknown section');
  return code;
}

function items(list: Typed | undefined): Typed[] {
  return list === undefined ? [] : (list.value as Typed[]);
}

function entries(map: Typed | undefined): Map<string, Typed> {
  const result = new Map<string, Typed>();
  const flat = items(map);
  for (let position = 0; position + 1 < flat.length; position += 2) {
    result.set(String(plain(flat[position])), flat[position + 1] as Typed);
  }
  return result;
}

function plain(value: Typed | undefined): unknown {
  return value === undefined ? undefined : ((types.unwrap(value) as unknown) ?? undefined);
}

function idText(id: unknown): string {
  return Buffer.isBuffer(id) ? id.toString('hex') : String(id);
}
