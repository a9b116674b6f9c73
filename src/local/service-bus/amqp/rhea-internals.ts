import type { TLSSocket } from 'node:tls';
import rhea from 'rhea';
import type { Connection, Delivery, Receiver, Sender, Session, Typed, Types } from 'rhea';

/**
 * What the broker needs of rhea beyond its public interface, all in one place. It was written against exactly rhea 3.0.5.
 */

/** Message format given to ordinary messages so that rhea hands over their bytes instead of decoding them. */
const undecodedFormat = 0xffffffff;

/** Service Bus' format of a transfer that holds several messages. */
export const batchFormat = 0x80013700;

interface Reader {
  readonly position: number;
  read(): Typed;
  /** Negative after reading beyond the end. */
  remaining(): number;
}

interface Writer {
  write(value: Typed): void;
  toBuffer(): Buffer;
}

interface Codec {
  Reader: new (bytes: Buffer) => Reader;
  Writer: new () => Writer;
  Null: () => Typed;
  List32: (items: readonly Typed[]) => Typed;
  Map32: (keysAndValues: readonly Typed[]) => Typed;
}

/** rhea's codec with the parts that its typings leave out. */
export const types = rhea.types as Types & Codec;

interface EndpointState {
  open_requests: number;
  close_requests: number;
}

interface AttachFields {
  snd_settle_mode: number;
  rcv_settle_mode: number;
  max_message_size: number;
  properties: Record<string, unknown>;
  source: unknown;
  target: unknown;
}

interface LinkInternals {
  state: EndpointState;
  local: { attach: AttachFields };
  remote: { attach: AttachFields };
  credit: number;
  _incomplete: unknown;
}

interface SenderInternals extends LinkInternals {
  delivery_count: number;
  _get_drain(): boolean;
}

interface OutgoingInternals {
  next_delivery_id: number;
  next_pending_delivery: number;
  available(): number;
}

interface TransferFrame {
  performative: { handle: number; message_format: number | null | undefined; more: boolean | null | undefined };
  payload: Buffer | undefined;
}

interface AttachFrame {
  performative: { target: Typed | null | undefined };
}

interface SessionInternals {
  outgoing: OutgoingInternals;
  on_attach(frame: AttachFrame): void;
  on_transfer(frame: TransferFrame): void;
  _get_link(frame: TransferFrame): Receiver;
}

export interface BrokerConnection extends Connection {
  socket: TLSSocket;
  transport: { peek_size(buffer: Buffer): number | undefined };
  accept(socket: TLSSocket): void;
  _register(): void;
  _disconnected(): void;
}

const internalsOf = (link: Sender | Receiver) => link as unknown as LinkInternals;
const sessionInternals = (session: Session) => session as unknown as SessionInternals;

export function socketOf(connection: Connection): TLSSocket {
  return (connection as BrokerConnection).socket;
}

/** Ends what rhea still does for a connection whose socket is gone; it only notices ends that the peer announces. */
export function abandonConnection(connection: BrokerConnection): void {
  connection._disconnected();
}

/** Deliveries that may still be sent without one of them waiting for credit or room, and holding up all after it. */
export function freeCredit(sender: Sender): number {
  const { outgoing } = sessionInternals(sender.session);
  const unsent = outgoing.next_delivery_id - outgoing.next_pending_delivery;
  return Math.min(internalsOf(sender).credit - unsent, outgoing.available());
}

/**
 * Tells the client that there is nothing more for its credit. rhea alone would not say so if the last of the credit has
 * just been used up, and the client would wait for it in vain and close the link.
 */
export function answerDrain(sender: Sender): void {
  const internals = sender as unknown as SenderInternals;
  internals._get_drain = () => {
    internals.delivery_count += internals.credit;
    internals.credit = 0;
    return true;
  };
  sender.set_drained(true);
  (sender.connection as BrokerConnection)._register();
}

/** Tells the client the final outcome; only then may rhea forget the delivery, which it wouldn't do by itself. */
export function settle(delivery: Delivery, outcome: unknown): void {
  delivery.update(true, outcome);
  (delivery as { remote_settled: boolean }).remote_settled = true;
}

/** To be called while the attach is being handled: nothing is answered until {@link answerAttach}. */
export function withholdAttach(sender: Sender): void {
  internalsOf(sender).state.open_requests = 0;
}

export function answerAttach(sender: Sender): void {
  internalsOf(sender).state.open_requests = 1;
  (sender.connection as BrokerConnection)._register();
}

export interface AttachAnswer {
  maxMessageSizeBytes?: number;
  properties?: Record<string, unknown>;
  /** The filter of a source, with the broker's choices filled in. */
  filter?: Record<string, unknown>;
}

/** Fills in the attach that goes back: what the client asked for, and what the broker adds. */
export function prepareAttach(link: Sender | Receiver, answer: AttachAnswer): void {
  const { local, remote } = internalsOf(link);
  local.attach.snd_settle_mode = remote.attach.snd_settle_mode;
  local.attach.rcv_settle_mode = remote.attach.rcv_settle_mode;
  if (answer.maxMessageSizeBytes !== undefined) local.attach.max_message_size = answer.maxMessageSizeBytes;
  if (answer.properties !== undefined) local.attach.properties = answer.properties;
  const source = link.source as typeof link.source | null;
  const target = link.target as typeof link.target | null;
  link.set_source({ address: source?.address ?? '', ...(answer.filter !== undefined && { filter: answer.filter }) });
  link.set_target({ address: target?.address ?? '' });
}

const coordinatorDescriptors: readonly unknown[] = [0x30, 'amqp:coordinator:list'];

/** The address under which a client's attempt to open a transaction coordinator shows. */
export const coordinatorAddress = '$coordinator';

/**
 * Changes how rhea reads a session:
 * - Every message is handed over as bytes, so that it can be passed on exactly as it came, and a malformed one costs its
 *   sender a rejection, not the connection.
 * - What exceeds a link's limit is counted but not kept.
 * - A transaction coordinator shows as an ordinary address.
 */
export function readUndecoded(session: Session): void {
  const internals = sessionInternals(session);
  const transfer = internals.on_transfer.bind(session);
  const attach = internals.on_attach.bind(session);

  internals.on_transfer = (frame) => {
    const { performative } = frame;
    if (performative.message_format == null || performative.message_format === 0)
      performative.message_format = undecodedFormat;
    const link = internals._get_link(frame);
    const isFirst = internalsOf(link)._incomplete === undefined;
    const bytes = (isFirst ? 0 : transferBytes(link)) + (frame.payload?.length ?? 0);
    bytesByLink.set(link, bytes);
    if (bytes > internalsOf(link).local.attach.max_message_size) frame.payload = Buffer.alloc(0);
    transfer(frame);
  };

  internals.on_attach = (frame) => {
    const target = frame.performative.target;
    if (coordinatorDescriptors.includes((target?.descriptor as Typed | undefined)?.value)) {
      frame.performative.target = types.described(
        types.wrap_ulong(0x29),
        types.List32([types.wrap_string(coordinatorAddress)]),
      ) as Typed;
    }
    attach(frame);
  };
}

const bytesByLink = new WeakMap<Receiver, number>();

/** How large the message being received on the link is, kept or not. */
export function transferBytes(link: Receiver): number {
  return bytesByLink.get(link) ?? 0;
}

/** Breaks off a peer that announces a larger frame than it may send, instead of waiting for all of it. */
export function limitFrames(connection: BrokerConnection, maxFrameBytes: number): void {
  const { transport } = connection;
  const peek = transport.peek_size.bind(transport);
  transport.peek_size = (buffer) => {
    const size = peek(buffer);
    if (size !== undefined && size > maxFrameBytes) throw new RangeError(`A frame of ${size} bytes exceeds the limit.`);
    return size;
  };
}

export const accepted = () => outcome('accepted', {});

export function rejected(condition: string, description: string): unknown {
  return outcome('rejected', { error: { condition, description } });
}

function outcome(name: 'accepted' | 'rejected', fields: object): unknown {
  const create = (rhea.message as unknown as Record<string, (fields: object) => { described(): unknown }>)[name];
  return create?.(fields).described();
}
