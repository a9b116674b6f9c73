import { createServer, type AddressInfo } from 'node:net';
import { type Connection, type ConnectionOptions, serveConnection } from './connection.ts';

export interface HttpFront {
  readonly port: number;
  /** Refuses new connections at once; resolves when the running requests have their answers. */
  finish(): Promise<void>;
  /** Cuts every connection that is still open. */
  close(): void;
}

/**
 * A server of our own on loopback: Node's parser refuses verbs such as LIST and hides much of what Kestrel lets through.
 * @param port 0: any free one
 */
export async function startHttpFront(port: number, options: ConnectionOptions): Promise<HttpFront> {
  const connections = new Map<Connection, () => void>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = serveConnection(socket, options);
    connections.set(connection, () => socket.destroy());
    socket.on('close', () => connections.delete(connection));
    connection.done.catch((error: unknown) => socket.destroy(error instanceof Error ? error : undefined));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async finish() {
      server.close();
      for (const connection of connections.keys()) connection.finish();
      await Promise.allSettled([...connections.keys()].map(({ done }) => done));
    },
    close() {
      server.close();
      for (const destroy of connections.values()) destroy();
    },
  };
}
