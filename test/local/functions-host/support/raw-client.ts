import { connect, type Socket } from 'node:net';

/** A response as it was on the wire. */
export interface RawResponse {
  statusLine: string;
  status: number;
  /** In order, names as spelled by the server. */
  headers: [string, string][];
  /** The first of this name, whatever its case. */
  header(name: string): string | undefined;
  body: Buffer;
}

export interface RawConnection {
  write(bytes: string | Buffer): void;
  /** The next response. @param options.isHead no body follows, whatever the headers say */
  response(options?: { isHead?: boolean }): Promise<RawResponse>;
  /** Resolves when the server ends the connection; with what it sent after the last response. */
  ended(): Promise<string>;
  close(): void;
}

const deadlineMilliseconds = 15_000;

/** A client that hides nothing: what is written goes out byte for byte. */
export async function openConnection(port: number): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1');
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  let received: Buffer = Buffer.alloc(0);
  let hasEnded = false;
  let wake: (() => void) | undefined;
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    wake?.();
  });
  socket.on('close', () => wake?.());
  socket.on('end', () => {
    hasEnded = true;
    wake?.();
  });
  socket.on('error', () => undefined);

  async function until<Value>(what: string, look: () => Value | undefined): Promise<Value> {
    const deadline = AbortSignal.timeout(deadlineMilliseconds);
    for (;;) {
      const value = look();
      if (value !== undefined) return value;
      if (deadline.aborted || isOver(socket, hasEnded)) {
        throw new Error(`${what} did not come; received: ${received.toString('latin1').slice(0, 500)}`);
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
        deadline.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  return {
    write: (bytes) => void socket.write(bytes),
    response: ({ isHead = false } = {}) =>
      until('a response', () => {
        const parsed = parseResponse(received, isHead, isOver(socket, hasEnded));
        if (parsed) received = received.subarray(parsed.length);
        return parsed?.response;
      }),
    ended: () => until('the end', () => (hasEnded ? received.toString('latin1') : undefined)),
    close: () => void socket.destroy(),
  };
}

/** One request on a connection of its own, which the server may keep open. */
export async function exchange(port: number, request: string | Buffer, isHead = false): Promise<RawResponse> {
  const connection = await openConnection(port);
  try {
    connection.write(request);
    return await connection.response({ isHead });
  } finally {
    connection.close();
  }
}

/** One request, the response to which must be the connection's last. */
export async function exchangeAndEnd(port: number, request: string | Buffer): Promise<RawResponse> {
  const connection = await openConnection(port);
  try {
    connection.write(request);
    const response = await connection.response();
    await connection.ended();
    return response;
  } finally {
    connection.close();
  }
}

/** The text of a request with Host and, for a body, Content-Length. */
export function requestText(
  method: string,
  target: string,
  options: { headers?: readonly string[]; body?: string } = {},
): string {
  const { headers = [], body } = options;
  const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  return [`${method} ${target} HTTP/1.1`, 'Host: host', ...headers, ...length, '', body ?? ''].join('\r\n');
}

function isOver(socket: Socket, hasEnded: boolean): boolean {
  return hasEnded || socket.destroyed;
}

function parseResponse(
  received: Buffer,
  isHead: boolean,
  isComplete: boolean,
): { response: RawResponse; length: number } | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [statusLine = '', ...lines] = received.subarray(0, end).toString('latin1').split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const header = (name: string): string | undefined =>
    headers.find(([one]) => one.toLowerCase() === name.toLowerCase())?.[1];
  const status = Number(statusLine.split(' ')[1]);
  const start = end + 4;
  const finish = (body: Buffer, length: number): { response: RawResponse; length: number } => ({
    response: { statusLine, status, headers, header, body },
    length,
  });
  if (isHead || status === 100 || status === 204 || status === 304) return finish(Buffer.alloc(0), start);
  const declared = header('content-length');
  if (declared !== undefined) {
    const length = Number(declared);
    if (received.length < start + length && !isComplete) return undefined;
    return finish(received.subarray(start, start + length), start + length);
  }
  if (header('transfer-encoding') !== 'chunked') {
    return isComplete ? finish(received.subarray(start), received.length) : undefined;
  }
  return parseChunks(received, start, finish);
}

function parseChunks<Result>(
  received: Buffer,
  start: number,
  finish: (body: Buffer, length: number) => Result,
): Result | undefined {
  const pieces: Buffer[] = [];
  let offset = start;
  for (;;) {
    const lineEnd = received.indexOf('\r\n', offset);
    if (lineEnd < 0) return undefined;
    const size = parseInt(received.toString('latin1', offset, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (received.length < next) return undefined;
    if (size === 0) return finish(Buffer.concat(pieces), next);
    pieces.push(received.subarray(lineEnd + 2, lineEnd + 2 + size));
    offset = next;
  }
}
