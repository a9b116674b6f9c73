import { STATUS_CODES } from 'node:http';

/** What the host answers, before it is put into bytes. */
export interface HostResponse {
  status: number;
  /** In order; a name may come more than once. */
  headers: readonly (readonly [string, string])[];
  body?: Uint8Array | undefined;
  closes?: boolean;
}

export interface ResponseBytes {
  head: string;
  /** To be written one after the other. */
  body: readonly (Uint8Array | string)[];
  closes: boolean;
}

export interface ResponseFrame {
  /** The request's. */
  method: string;
  version: '1.0' | '1.1';
  keepsAlive: boolean;
  date: string;
}

const empty: HostResponse = { status: 500, headers: [], closes: true };

/**
 * Frames a response as Kestrel does: chunked unless the app has set a length, no length for HEAD, 204 and 304, and the
 * app's `Date` and `Server` before the host's. What Kestrel would refuse becomes an empty 500.
 */
export function frameResponse(response: HostResponse, frame: ResponseFrame): ResponseBytes {
  if (response.headers.some(([, value]) => !/^[\t\x20-\x7e]*$/.test(value))) {
    return frameResponse({ ...empty, closes: false }, frame);
  }
  const { status, body = new Uint8Array() } = response;
  const has = (name: string): boolean => response.headers.some(([one]) => one.toLowerCase() === name);
  const mayHaveBody = status >= 200 && status !== 204 && status !== 304;
  const lines = response.headers.filter(([name]) => mayHaveBody || name.toLowerCase() !== 'content-length');
  const extra: [string, string][] = [];
  if (!has('date')) extra.push(['Date', frame.date]);
  if (!has('server')) extra.push(['Server', 'Kestrel']);

  let pieces: (Uint8Array | string)[] = [];
  let closes = response.closes === true || !frame.keepsAlive;
  const declared = response.headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1];
  if (mayHaveBody && frame.method !== 'HEAD') {
    if (declared !== undefined) {
      if (!/^\d+$/.test(declared) || body.length > Number(declared)) return frameResponse(empty, frame);
      closes ||= body.length < Number(declared);
      pieces = [body];
    } else if (has('transfer-encoding')) pieces = [body];
    else if (body.length === 0) extra.push(['Content-Length', '0']);
    else if (frame.version === '1.0') {
      closes = true;
      pieces = [body];
    } else {
      extra.push(['Transfer-Encoding', 'chunked']);
      pieces = [`${body.length.toString(16)}\r\n`, body, '\r\n0\r\n\r\n'];
    }
  }
  if (closes && !has('connection')) extra.unshift(['Connection', 'close']);
  else if (frame.version === '1.0' && !has('connection')) extra.unshift(['Connection', 'keep-alive']);

  const fields = [...lines, ...extra].map(([name, value]) => `${spell(name)}: ${value}\r\n`).join('');
  return { head: `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${fields}\r\n`, body: pieces, closes };
}

/** The headers that the server knows leave in its own spelling, all others as the app wrote them. */
const known = new Map(
  (
    'Accept-Ranges Access-Control-Allow-Credentials Access-Control-Allow-Headers Access-Control-Allow-Methods ' +
    'Access-Control-Allow-Origin Access-Control-Expose-Headers Access-Control-Max-Age Age Allow Alt-Svc Cache-Control ' +
    'Connection Content-Encoding Content-Language Content-Length Content-Location Content-MD5 Content-Range Content-Type ' +
    'Date ETag Expires Keep-Alive Last-Modified Location Pragma Proxy-Authenticate Retry-After Server Set-Cookie ' +
    'Trailer Transfer-Encoding Upgrade Vary Via Warning WWW-Authenticate'
  )
    .split(' ')
    .map((name) => [name.toLowerCase(), name]),
);

function spell(name: string): string {
  return known.get(name.toLowerCase()) ?? name;
}
