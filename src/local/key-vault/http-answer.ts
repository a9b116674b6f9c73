import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { KeyVaultError } from './errors.ts';

const maximumBodyBytes = 16 * 1024 * 1024;

export interface Answer {
  status: number;
  body?: object;
  /** Written in the place of the body's JSON. */
  brokenBody?: string;
  headers?: Record<string, string>;
}

/** The answer to anything thrown while serving: what isn't a refusal is a fault of the stand-in itself. */
export function answerTo(error: unknown): Answer {
  if (error instanceof KeyVaultError) return { status: error.status, body: error.body(), headers: error.headers };
  const message = `The stand-in failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  return { status: 500, body: { error: { code: 'InternalServerError', message } } };
}

/** Writes `answer` with the headers that all of Key Vault's answers have. */
export function writeAnswer(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  const clientRequestId = request.headers['x-ms-client-request-id'];
  const address = request.socket.remoteAddress ?? '';
  const content = answer.brokenBody ?? (answer.body && JSON.stringify(answer.body));
  response.writeHead(answer.status, {
    'Cache-Control': 'no-cache',
    Pragma: 'no-cache',
    Expires: '-1',
    'Strict-Transport-Security': 'max-age=31536000;includeSubDomains',
    'X-Content-Type-Options': 'nosniff',
    'x-ms-keyvault-region': 'local',
    'x-ms-keyvault-service-version': '1.9.3347.1',
    'x-ms-keyvault-network-info': `conn_type=Ipv4;addr=${address};act_addr_fam=InterNetwork;`,
    'x-ms-request-id': randomUUID(),
    ...(clientRequestId === undefined ? {} : { 'x-ms-client-request-id': clientRequestId }),
    ...answer.headers,
    ...(content === undefined ? {} : contentHeaders(content)),
  });
  response.end(content);
}

function contentHeaders(content: string): Record<string, string> {
  return {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(content)),
  };
}

/** Reads a JSON body; null members count as absent. @returns undefined for no body at all. @throws KeyVaultError 400, 413 */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maximumBodyBytes) throw new KeyVaultError(413, 'RequestEntityTooLarge', 'The request is too large.');
    chunks.push(chunk);
  }
  if (length === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString(), (_name, value: unknown) => value ?? undefined);
  } catch {
    throw new KeyVaultError(400, 'BadParameter', "The request's body isn't JSON.");
  }
}
