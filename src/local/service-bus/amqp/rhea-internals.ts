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

interface SessionInternals {
  outgoing: OutgoingInternals;
  on_transfer(frame: TransferFrame): void;
  _get_link(frame: TransferFrame): Receiver;
}

export interface BrokerConnection extends Connection {
  socket: TLSSocket;
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

/**
 * Hands every message over as bytes, so that it can be passed on exactly as it came, and a malformed one costs its sender
 * a rejection, not the connection.
 * @param onPayload sees every frame's payload of a link as it arrives, before the message is complete
 */
export function receiveUndecoded(
  session: Session,
  onPayload: (link: Receiver, bytes: number, more: boolean) => void,
): void {
  const internals = sessionInternals(session);
  const passOn = internals.on_transfer.bind(session);
  internals.on_transfer = (frame) => {
    const { performative } = frame;
    if (performative.message_format == null || performative.message_format === 0)
      performative.message_format = undecodedFormat;
    onPayload(internals._get_link(frame), frame.payload?.length ?? 0, performative.more === true);
    passOn(frame);
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
