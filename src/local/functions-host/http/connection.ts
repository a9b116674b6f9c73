import type { Socket } from 'node:net';
import { createByteReader } from './byte-reader.ts';
import { BodyIncomplete, createRequestBody, type RequestBody } from './request-body.ts';
import { readRequestHead, type RequestHead, RequestRefused } from './request-head.ts';
import { frameResponse, type HostResponse, type ResponseFrame } from './response.ts';

/** @throws BodyIncomplete to end the connection without an answer, NoAnswer to leave it open without one */
export type RequestHandler = (head: RequestHead, body: RequestBody) => Promise<HostResponse>;

/** The client waits for good. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

export interface ConnectionOptions {
  handle: RequestHandler;
  bodyLimitBytes: number;
  now: () => Date;
}

export interface Connection {
  /** Ends when the last response is written. */
  readonly done: Promise<void>;
  /** Lets the request that is running finish, and takes no other. */
  finish(): void;
}

/** How long a refused client may go on sending before it is cut off: closing at once would lose the answer. */
const lingerMilliseconds = 2000;

/** Serves the requests of one client one after the other, in the order in which they came. */
export function serveConnection(socket: Socket, { handle, bodyLimitBytes, now }: ConnectionOptions): Connection {
  const reader = createByteReader(socket);
  let isBusy = false;
  let isFinishing = false;
  socket.setNoDelay(true);
  // A client that goes away is not the function's business.
  socket.on('error', () => undefined);

  async function serve(): Promise<void> {
    for (;;) {
      const head = await readRequestHead(reader);
      if (!head) return;
      isBusy = true;
      const body = createRequestBody({
        head,
        reader,
        limitBytes: bodyLimitBytes,
        sendContinue: () => socket.write('HTTP/1.1 100 Continue\r\n\r\n'),
      });
      const response = await handle(head, body);
      const keepsAlive = head.keepsAlive && !isFinishing;
      const closes = await write(response, { method: head.method, version: head.version, keepsAlive });
      if (closes || !(await body.skip())) return;
      isBusy = false;
    }
  }

  async function write(response: HostResponse, frame: Omit<ResponseFrame, 'date'>): Promise<boolean> {
    const { head, body, closes } = frameResponse(response, { ...frame, date: now().toUTCString() });
    socket.cork();
    socket.write(head, 'latin1');
    const isWritten = body.map((piece) => socket.write(piece)).at(-1) ?? true;
    socket.uncork();
    if (!isWritten && !socket.destroyed) await drained(socket);
    return closes;
  }

  async function run(): Promise<void> {
    try {
      await serve();
    } catch (error) {
      if (error instanceof NoAnswer) return;
      if (error instanceof RequestRefused) {
        await write(
          { status: error.status, headers: [], closes: true },
          { method: '', version: '1.1', keepsAlive: false },
        );
      } else if (!(error instanceof BodyIncomplete)) throw error;
    }
    linger(socket);
  }

  return {
    done: run(),
    finish() {
      isFinishing = true;
      if (!isBusy) socket.destroy();
    },
  };
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('drain', resolve);
    socket.once('close', resolve);
  });
}

function linger(socket: Socket): void {
  if (socket.destroyed) return;
  socket.end();
  socket.removeAllListeners('data');
  socket.resume();
  setTimeout(() => socket.destroy(), lingerMilliseconds).unref();
}
