import { request } from 'node:https';

export interface RawAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  body: any;
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
          const parsed: unknown = text.startsWith('{') ? JSON.parse(text) : undefined;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: parsed });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(content);
  });
}

/** `path` with the api-version that most tests use. */
export const versioned = (path: string): string => `${path}${path.includes('?') ? '&' : '?'}api-version=2025-07-01`;
