import type { Socket } from 'node:net';

/** Takes bytes from a socket on demand; what isn't asked for stays with the sender. */
export interface ByteReader {
  /**
   * The next line with its LF.
   * @param limit most bytes it may have
   * @returns undefined when the sender ends first
   */
  line(limit: number): Promise<Buffer | 'too-long' | undefined>;
  /** Whatever is there, `most` bytes of it, waiting for the first. @returns undefined when the sender has ended. */
  some(most: number): Promise<Buffer | undefined>;
}

const lineFeed = 0x0a;
const highWaterBytes = 1024 * 1024;

export function createByteReader(socket: Socket): ByteReader {
  let current: Buffer = Buffer.alloc(0);
  let queue: Buffer[] = [];
  let queuedBytes = 0;
  let hasEnded = false;
  let wake: (() => void) | undefined;

  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  const end = (): void => {
    hasEnded = true;
    notify();
  };
  socket.on('data', (chunk: Buffer) => {
    queue.push(chunk);
    queuedBytes += chunk.length;
    if (queuedBytes >= highWaterBytes) socket.pause();
    notify();
  });
  socket.on('end', end);
  socket.on('close', end);

  /** Waits until the queue holds something. @returns false when nothing will come any more */
  async function arrival(): Promise<boolean> {
    while (queue.length === 0) {
      if (hasEnded) return false;
      socket.resume();
      await new Promise<void>((resolve) => (wake = resolve));
    }
    return true;
  }

  function takeQueue(): Buffer[] {
    const taken = queue;
    queue = [];
    queuedBytes = 0;
    return taken;
  }

  return {
    async line(limit) {
      for (;;) {
        const end = current.indexOf(lineFeed) + 1;
        if (end > limit || (end === 0 && current.length >= limit)) return 'too-long';
        if (end > 0) {
          const line = current.subarray(0, end);
          current = current.subarray(end);
          return line;
        }
        if (!(await arrival())) return undefined;
        current = Buffer.concat([current, ...takeQueue()]);
      }
    },
    async some(most) {
      if (current.length === 0) {
        if (!(await arrival())) return undefined;
        const next = queue.shift() ?? current;
        queuedBytes -= next.length;
        current = next;
      }
      const taken = current.subarray(0, most);
      current = current.subarray(taken.length);
      return taken;
    },
  };
}
