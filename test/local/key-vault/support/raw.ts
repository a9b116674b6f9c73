import { request } from 'node:https';

/** Any of the JSON bodies that Key Vault answers. */
export interface WireBody {
  error?: { code: string; message: string; innererror?: { code: string } };
  key?: { kid: string; kty: string; key_ops: string[]; n?: string; e?: string; crv?: string; x?: string; y?: string };
  kid?: string;
  id?: string;
  recoveryId?: string;
  deletedDate?: number;
  scheduledPurgeDate?: number;
  attributes?: Record<string, unknown> & { created?: number; updated?: number };
  tags?: Record<string, string>;
  value?: unknown;
  contentType?: string;
  nextLink?: string | null;
}

export interface RawAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  body: WireBody;
}

/**
 * One HTTPS request, byte for byte as given: for what the SDK's clients never send.
 * @param path with query
 * @param options.token absent: no Authorization header. `admin` unless given as undefined
 */
export async function raw(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  options: { token?: string | undefined; headers?: Record<string, string> } = { token: 'admin' },
): Promise<RawAnswer> {
  const content = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url + path,
      {
        method,
        headers: {
          ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
          ...(content === ''
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
          ...options.headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: parse(text) });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(content);
  });
}

/** @returns nothing for what isn't JSON, whose text is there */
function parse(text: string): WireBody {
  try {
    return JSON.parse(text) as WireBody;
  } catch {
    return {};
  }
}

/** What clients act on in a refusal: `[status, code]`, with the inner code behind if there is one. */
export function refusalOf(answer: RawAnswer): (number | string)[] {
  const inner = answer.body.error?.innererror?.code;
  return [answer.status, answer.body.error?.code ?? '', ...(inner === undefined ? [] : [inner])];
}

/** The same from an error that the SDK threw. */
export async function refusalOfCall(call: Promise<unknown>): Promise<(number | string)[]> {
  try {
    await call;
  } catch (error) {
    const { statusCode, code, details } = error as {
      statusCode?: number;
      code?: string;
      details?: { error?: { innerError?: { code?: string } } };
    };
    if (statusCode === undefined) throw error;
    const inner = details?.error?.innerError?.code;
    return [statusCode, code ?? '', ...(inner === undefined ? [] : [inner])];
  }
  throw new Error('nothing was refused');
}

/** `path` with the api-version that most tests use. */
export const versioned = (path: string): string => `${path}${path.includes('?') ? '&' : '?'}api-version=2025-07-01`;
