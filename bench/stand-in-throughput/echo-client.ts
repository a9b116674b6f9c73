import { once } from 'node:events';
import rhea, { type EventContext } from 'rhea';

/** Sends messages to a server that sends them back. */
export interface EchoClient {
  /** Sends `count` messages, `atOnce` at most on their way, and waits until all have come back. */
  exchange(count: number, atOnce: number): Promise<void>;
  close(): void;
}

export async function openEchoClient(port: number, body: string): Promise<EchoClient> {
  const connection = rhea.create_container().connect({
    port,
    host: 'localhost',
    transport: 'tls',
    reconnect: false,
    ...({ tcp_no_delay: true } as object),
  } as never);
  const sender = connection.open_sender('echo');
  const receiver = connection.open_receiver({ source: 'echo', credit_window: 1000 });
  await Promise.all([once(sender, 'sendable'), once(receiver, 'receiver_open')]);
  return {
    async exchange(count, atOnce) {
      const done = Promise.withResolvers<void>();
      let sent = 0;
      let back = 0;
      const sendNext = (): void => {
        sent++;
        sender.send({ body });
      };
      const take = (_context: EventContext): void => {
        back++;
        if (back === count) done.resolve();
        else if (sent < count) sendNext();
      };
      receiver.on('message', take);
      while (sent < Math.min(atOnce, count)) sendNext();
      await done.promise;
      receiver.removeListener('message', take);
    },
    close: () => connection.close(),
  };
}
