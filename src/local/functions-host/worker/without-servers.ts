import { Server } from 'node:net';

/**
 * Runs something that may not open a port. `@azure/functions` serves HTTP streams on a port of its own on every
 * interface of the machine, once an app has turned them on.
 */
export async function withoutServers<Result>(action: () => Promise<Result>): Promise<Result> {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is put back as it was
  const { listen } = Server.prototype;
  Server.prototype.listen = () => {
    throw new Error('HTTP streaming is not served by this host.');
  };
  try {
    return await action();
  } finally {
    Server.prototype.listen = listen;
  }
}
