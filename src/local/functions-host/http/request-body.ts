import type { ByteReader } from './byte-reader.ts';
import type { RequestHead } from './request-head.ts';

export interface RequestBody {
  /**
   * The body as the function gets it: undefined when there is none, and always for a chunked one, which the host reads
   * and loses.
   * @throws BodyTooLarge, BodyIncomplete
   */
  read(): Promise<Buffer | undefined>;
  /** Reads past what nobody asked for. @returns whether the next request begins here */
  skip(): Promise<boolean>;
}

export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
}

/** The client went away in the middle of its body. */
export class BodyIncomplete extends Error {
  override readonly name = 'BodyIncomplete';
}

export interface RequestBodyOptions {
  head: RequestHead;
  reader: ByteReader;
  limitBytes: number;
  /** Tells the client to send the body it announced with `Expect: 100-continue`. */
  sendContinue: () => void;
}

const chunkLineLimitBytes = 1024;
const pieceBytes = 1024 * 1024;

export function createRequestBody({ head, reader, limitBytes, sendContinue }: RequestBodyOptions): RequestBody {
  const { body } = head;
  let isRead = body.kind === 'none';
  let isInStep = true;

  async function take(bytes: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let missing = bytes; missing > 0;) {
      const piece = await reader.some(Math.min(missing, pieceBytes));
      if (!piece) throw new BodyIncomplete('the client ended the connection');
      pieces.push(piece);
      missing -= piece.length;
    }
    return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
  }

  /** @returns false when the chunks are malformed: where the next request begins can't be told then */
  async function dropChunks(): Promise<boolean> {
    let total = 0;
    for (;;) {
      const line = await reader.line(chunkLineLimitBytes);
      if (line === undefined) throw new BodyIncomplete('the client ended the connection');
      if (line === 'too-long') return false;
      const size = /^([0-9a-f]+)[ \t]*(?:;.*)?\r?\n$/i.exec(line.toString('latin1'))?.[1];
      if (size === undefined) return false;
      const bytes = parseInt(size, 16);
      total += bytes;
      if (total > limitBytes) throw new BodyTooLarge('chunked body above the limit');
      if (bytes === 0) return dropTrailers();
      for (let missing = bytes; missing > 0;) missing -= (await take(Math.min(missing, pieceBytes))).length;
      const end = await reader.line(2);
      if (end === undefined) throw new BodyIncomplete('the client ended the connection');
      if (end === 'too-long' || !/^\r?\n$/.test(end.toString('latin1'))) return false;
    }
  }

  async function dropTrailers(): Promise<boolean> {
    for (;;) {
      const line = await reader.line(chunkLineLimitBytes);
      if (line === undefined || line === 'too-long') return false;
      if (line.length <= 2) return true;
    }
  }

  return {
    async read() {
      if (isRead) return undefined;
      isRead = true;
      isInStep = false;
      if (body.kind === 'length' && body.bytes > limitBytes) throw new BodyTooLarge('body above the limit');
      if (head.expectsContinue) sendContinue();
      if (body.kind === 'chunked') {
        isInStep = await dropChunks();
        return undefined;
      }
      const bytes = body.kind === 'length' ? await take(body.bytes) : undefined;
      isInStep = true;
      return bytes;
    },
    async skip() {
      if (isRead) return isInStep;
      isRead = true;
      // Without the 100 the client may or may not send what it announced.
      if (head.expectsContinue) return false;
      if (body.kind === 'chunked') return dropChunks();
      if (body.kind === 'length')
        for (let missing = body.bytes; missing > 0;) missing -= (await take(Math.min(missing, pieceBytes))).length;
      return true;
    },
  };
}
