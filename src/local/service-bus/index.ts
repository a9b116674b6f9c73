import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import rhea from 'rhea';
import type { Faults } from '../faults.ts';
import type { VerifyToken } from '../principals.ts';
import { serveConnection } from './amqp/connection.ts';
import { createDispatcher } from './amqp/dispatcher.ts';
import { createEntities } from './amqp/entities.ts';
import type { Authorize } from './amqp/rights.ts';
import { abandonConnection } from './amqp/rhea-internals.ts';
import type { BrokerConnection } from './amqp/rhea-internals.ts';
import type { WireMessage } from './amqp/wire-message.ts';
import { queueSettings } from './engine/options.ts';
import type { QueueOptions } from './engine/options.ts';
import { createQueue } from './engine/queue.ts';
import type { Queue, QueueCounts } from './engine/queue.ts';
import { inspect } from './inspection.ts';
import type { QueueInspection } from './inspection.ts';

export type { Authorize, Right } from './amqp/rights.ts';
export type { QueueOptions } from './engine/options.ts';
export type { InspectedMessage, QueueInspection } from './inspection.ts';
export type { QueueCounts };

export interface ServiceBusOptions {
  queues: readonly QueueOptions[];
  /** PEM. */
  tls: { key: string; cert: string };
  verify: VerifyToken;
  authorize: Authorize;
  faults: Faults;
  now: () => Date;
  /** Absent or 0: a free one. */
  port?: number;
}

export interface ServiceBusStandIn {
  port: number;
  /** @throws RangeError if there is no such queue */
  queue(name: string): QueueInspection;
  /** Breaks all connections. Messages are kept in memory alone and are gone with the stand-in. */
  stop(): Promise<void>;
}

/** Starts a Service Bus namespace on loopback: AMQP 1.0 over TLS, as `@azure/service-bus` speaks it. */
export async function startServiceBus(options: ServiceBusOptions): Promise<ServiceBusStandIn> {
  const { now } = options;
  const entities = createEntities();
  const queues = new Map<string, Queue<WireMessage>>();
  const dispatchers: { stop(): void }[] = [];

  function addQueue(path: string, securedPath: string, queue: Queue<WireMessage>, sendable: boolean): void {
    const dispatcher = createDispatcher(queue, now);
    dispatchers.push(dispatcher);
    entities.add({ kind: 'queue', path, securedPath, queue, dispatcher, sendable });
    if (queue.deadLetters !== undefined) addQueue(`${path}/$DeadLetterQueue`, securedPath, queue.deadLetters, false);
  }

  for (const queueOptions of options.queues) {
    const queue = createQueue<WireMessage>(queueSettings(queueOptions), now);
    queues.set(queueOptions.name, queue);
    addQueue(queueOptions.name, queueOptions.name, queue, true);
  }

  const container = rhea.create_container({ id: 'service-bus' });
  const sockets = new Set<TLSSocket>();
  const server = createServer({ key: options.tls.key, cert: options.tls.cert }, (socket) => {
    sockets.add(socket);
    const connection = container.create_connection({
      container_id: 'service-bus',
      idle_time_out: 120_000,
      max_frame_size: 65_536,
      channel_max: 4999,
      tcp_no_delay: true,
      sender_options: { treat_modified_as_released: false, autosettle: false },
      receiver_options: { autoaccept: false },
    } as never) as BrokerConnection;
    connection.accept(socket);
    socket.on('close', () => {
      sockets.delete(socket);
      abandonConnection(connection);
    });
    const abandon = () => socket.destroy();
    connection.on('protocol_error', abandon);
    connection.on('error', abandon);
    connection.on('connection_error', () => undefined);
    connection.on('disconnected', () => undefined);
    serveConnection(connection, {
      entities,
      verify: options.verify,
      authorize: options.authorize,
      faults: options.faults,
      now,
    });
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    queue(name) {
      const queue = queues.get(name);
      if (queue === undefined) throw new RangeError(`There is no queue '${name}'.`);
      return inspect(queue);
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      for (const dispatcher of dispatchers) dispatcher.stop();
      await closed;
    },
  };
}
