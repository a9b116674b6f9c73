import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import rhea from 'rhea';
import type { Faults } from '../faults.ts';
import type { VerifyToken } from '../principals.ts';
import { serveConnection } from './amqp/connection.ts';
import { abandonConnection, limitFrames } from './amqp/rhea-internals.ts';
import type { BrokerConnection } from './amqp/rhea-internals.ts';
import type { Authorize } from './amqp/rights.ts';
import type { QueueOptions, TopicOptions } from './engine/options.ts';
import type { QueueInspection } from './inspection.ts';
import { createNamespace } from './namespace.ts';

export type { Authorize, Right } from './amqp/rights.ts';
export type { CorrelationFilter, QueueOptions, SubscriptionOptions, TopicOptions } from './engine/options.ts';
export type { InspectedMessage, QueueInspection } from './inspection.ts';

export interface ServiceBusOptions {
  queues: readonly QueueOptions[];
  topics?: readonly TopicOptions[];
  /** PEM. */
  tls: { key: string; cert: string };
  /** Asked for the audience `https://servicebus.azure.net`, and with a slash at its end if the first doesn't fit. */
  verify: VerifyToken;
  authorize: Authorize;
  /**
   * Operations: `send`, `deliver`, `complete`, `abandon`, `defer`, `deadLetter`, `renewLock`, `renewSessionLock`,
   * `acceptSession`, `schedule`, `cancelScheduled`, `updateDisposition`; the name is that of the queue, of the topic, of
   * `topic/Subscriptions/subscription`, or of one of these with `/$DeadLetterQueue`.
   */
  faults: Faults;
  now: () => Date;
  /** Absent or 0: a free one. */
  port?: number;
  /** After how long a link that nothing is sent on is detached; 600 unless given. */
  linkIdleTimeoutSeconds?: number;
}

export interface ServiceBusStandIn {
  port: number;
  /** @param name of a queue, or `topic/Subscriptions/subscription`. @throws RangeError if there is no such queue */
  queue(name: string): QueueInspection;
  /** Breaks all connections. Messages are kept in memory alone and are gone with the stand-in. */
  stop(): Promise<void>;
}

const maxFrameBytes = 65_536;
const openWithinMilliseconds = 60_000;

/** Starts a Service Bus namespace on loopback: AMQP 1.0 over TLS, as `@azure/service-bus` speaks it. */
export async function startServiceBus(options: ServiceBusOptions): Promise<ServiceBusStandIn> {
  const { verify, authorize, faults, now, linkIdleTimeoutSeconds = 600 } = options;
  const namespace = createNamespace({ queues: options.queues, topics: options.topics ?? [], now });
  const container = rhea.create_container({ id: 'service-bus' });
  const sockets = new Set<TLSSocket>();

  function accept(socket: TLSSocket): void {
    const connection = container.create_connection({
      container_id: container.id,
      idle_time_out: 120_000,
      max_frame_size: maxFrameBytes,
      channel_max: 4999,
      tcp_no_delay: true,
      sender_options: { treat_modified_as_released: false, autosettle: false },
      receiver_options: { autoaccept: false },
    } as never) as BrokerConnection;
    const breakOff = () => socket.destroy();
    sockets.add(socket);
    socket.setTimeout(openWithinMilliseconds, breakOff);
    connection.accept(socket);
    limitFrames(connection, maxFrameBytes);
    socket.on('close', () => {
      sockets.delete(socket);
      abandonConnection(connection);
    });
    // From here on rhea watches for idleness itself.
    connection.on('connection_open', () => socket.setTimeout(0));
    // Bytes that are no AMQP cost their sender the connection, and nobody else anything.
    connection.on('protocol_error', breakOff);
    connection.on('error', breakOff);
    connection.on('connection_error', () => undefined);
    connection.on('disconnected', () => undefined);
    serveConnection(connection, {
      entities: namespace.entities,
      verify,
      authorize,
      faults,
      now,
      linkIdleTimeoutSeconds,
    });
  }

  const server = createServer({ key: options.tls.key, cert: options.tls.cert }, accept);
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    queue: (name) => namespace.inspect(name),
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      namespace.stop();
      await closed;
    },
  };
}
