import { beforeAll, describe, expect, it } from 'vitest';
import { type RunningApp, startApp } from './support/app.ts';
import { readEcho, textOf } from './support/echo.ts';
import { exchange, exchangeAndEnd, openConnection, requestText } from './support/raw-client.ts';

let app: RunningApp;
let port: number;

beforeAll(async () => {
  app = await startApp({ app: 'http' });
  port = app.host.port;
});

/** @param lines request line and headers */
const text = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;

describe('limits', () => {
  it('take a request line of 8,192 bytes and refuse a longer one with 414, closing', async () => {
    const frame = 'GET /v1/ HTTP/1.1\r\n'.length;
    const longest = 'a'.repeat(8192 - frame);
    expect(readEcho(await exchange(port, requestText('GET', `/v1/${longest}`))).params['path']).toBe(longest);
    const response = await exchangeAndEnd(port, requestText('GET', `/v1/${longest}a`));
    expect(response.status).toBe(414);
    expect(response.body).toHaveLength(0);
  });

  it('take 99 headers and Host, and refuse more with 431, closing', async () => {
    const headers = Array.from({ length: 99 }, (_, index) => `x-${index}: ${index}`);
    expect(readEcho(await exchange(port, requestText('GET', '/v1/x', { headers }))).headers['x-98']).toBe('98');
    const response = await exchangeAndEnd(port, requestText('GET', '/v1/x', { headers: [...headers, 'y: 1'] }));
    expect(response.status).toBe(431);
  });

  it('take headers up to 32 KB, and refuse more with 431, closing', async () => {
    const fits = requestText('GET', '/v1/x', {
      headers: [`x: ${'a'.repeat(32_768 - 'Host: host\r\nx: \r\n\r\n'.length)}`],
    });
    expect((await exchange(port, fits)).status).toBe(200);
    const over = requestText('GET', '/v1/x', { headers: [`x: ${'a'.repeat(32_768)}`] });
    expect((await exchangeAndEnd(port, over)).status).toBe(431);
  });

  it('take a body of 100 MiB and answer one byte more with 500, closing', { timeout: 20_000 }, async () => {
    const limit = 100 * 1024 * 1024;
    const connection = await openConnection(port);
    connection.write(text('POST /size HTTP/1.1', 'Host: host', `Content-Length: ${limit}`));
    connection.write(Buffer.alloc(limit));
    expect((await connection.response()).body.toString()).toBe(String(limit));
    connection.close();
    const over = text('POST /size HTTP/1.1', 'Host: host', `Content-Length: ${limit + 1}`);
    const response = await exchangeAndEnd(port, over);
    expect(response.status).toBe(500);
    expect(response.body).toHaveLength(0);
  });

  it('follow FUNCTIONS_REQUEST_BODY_SIZE_LIMIT, for chunked bodies too', async () => {
    const { host } = await startApp({ app: 'http', host: { settings: { FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '10' } } });
    const fits = requestText('POST', '/size', { body: '0123456789' });
    expect((await exchange(host.port, fits)).body.toString()).toBe('10');
    const over = requestText('POST', '/size', { body: '0123456789a' });
    expect((await exchangeAndEnd(host.port, over)).status).toBe(500);
    const chunked = `${text('POST /size HTTP/1.1', 'Host: host', 'Transfer-Encoding: chunked')}b\r\n0123456789a\r\n0\r\n\r\n`;
    expect((await exchangeAndEnd(host.port, chunked)).status).toBe(500);
  });
});

describe('the request line and Host', () => {
  it.each([
    ['no Host', text('GET /v1/a HTTP/1.1')],
    ['two Hosts', text('GET /v1/a HTTP/1.1', 'Host: a', 'Host: a')],
    ['an absolute target for another host', text('GET http://other/v1/a HTTP/1.1', 'Host: host')],
    ['a target without a slash', text('GET v1/a HTTP/1.1', 'Host: host')],
  ])('are refused with 400, closing: %s', async (_, request) => {
    expect((await exchangeAndEnd(port, request)).status).toBe(400);
  });

  it('take an absolute target for the same host, whose scheme is ignored', async () => {
    const echo = readEcho(await exchange(port, text('GET https://host/v1/a?b HTTP/1.1', 'Host: host')));
    expect(echo.url).toBe('http://host/v1/a?b');
  });

  it('answer an empty Host, and HTTP/1.0 without one, with 500', async () => {
    expect((await exchange(port, text('GET /v1/a HTTP/1.1', 'Host:'))).status).toBe(500);
    expect((await exchange(port, text('GET /v1/a HTTP/1.0'))).status).toBe(500);
  });

  it('answer a Host with an impossible port with 500', async () => {
    expect((await exchange(port, text('GET /v1/a HTTP/1.1', 'Host: host:99999'))).status).toBe(500);
  });

  it('serve HTTP/1.0 unchunked, and close', async () => {
    const response = await exchangeAndEnd(port, text('GET /v1/a HTTP/1.0', 'Host: host'));
    expect(response.status).toBe(200);
    expect(response.header('transfer-encoding')).toBeUndefined();
    expect(readEcho(response).params).toEqual({ path: 'a' });
  });

  it('refuse GET * with 405 and HTTP/2.0 with 505', async () => {
    expect((await exchangeAndEnd(port, text('GET * HTTP/1.1', 'Host: host'))).status).toBe(405);
    expect((await exchangeAndEnd(port, text('GET /v1/a HTTP/2.0', 'Host: host'))).status).toBe(505);
  });

  it('take lines that end in LF alone', async () => {
    expect(readEcho(await exchange(port, 'GET /v1/a HTTP/1.1\nHost: host\nx: 1\n\n')).headers['x']).toBe('1');
  });
});

describe('headers', () => {
  const headersOf = async (...headers: string[]): Promise<Record<string, string>> =>
    readEcho(await exchange(port, requestText('GET', '/v1/x', { headers }))).headers;

  it('are lower-cased, trimmed, and those of one name joined by commas, tokens and cookies too', async () => {
    const headers = await headersOf('X-Vault-Token:  a ', 'x-vault-token: b', 'Cookie: c=1', 'Cookie: d=2');
    expect(headers).toMatchObject({ 'x-vault-token': 'a,b', cookie: 'c=1,d=2' });
  });

  it('split at a lone LF inside a value', async () => {
    expect(await headersOf('a: 1\nb: 2')).toMatchObject({ a: '1', b: '2' });
  });

  it('pass values in latin-1', async () => {
    expect((await headersOf('x: é'))['x']).toBe('é');
  });

  it.each([
    ['a value beyond latin-1', 'x: €'],
    ['a name that Request refuses', 'X(A): 1'],
  ])('reach the worker and end in 500: %s', async (_, header) => {
    const response = await exchange(port, requestText('GET', '/v1/x', { headers: [header] }));
    expect(response.status).toBe(500);
    expect(response.body).toHaveLength(0);
  });

  it.each([
    ['bad UTF-8', Buffer.from([0x78, 0x3a, 0xff])],
    ['NUL', Buffer.from('x: a\0b')],
    ['a folded line', Buffer.from('x: a\r\n b')],
    ['a space before the colon', Buffer.from('x : a')],
  ])('are refused with 400: %s', async (_, header) => {
    const request = Buffer.concat([
      Buffer.from('GET /v1/x HTTP/1.1\r\nHost: host\r\n'),
      header,
      Buffer.from('\r\n\r\n'),
    ]);
    expect((await exchangeAndEnd(port, request)).status).toBe(400);
  });

  it('pass X-Forwarded-* and DISGUISED-HOST on, and leave the url alone', async () => {
    const headers = ['X-Forwarded-Host: other', 'X-Forwarded-Proto: https', 'DISGUISED-HOST: third'];
    const echo = readEcho(await exchange(port, requestText('GET', '/v1/x', { headers })));
    expect(echo.url).toBe('http://host/v1/x');
    expect(echo.headers).toMatchObject({
      'x-forwarded-host': 'other',
      'x-forwarded-proto': 'https',
      'disguised-host': 'third',
    });
  });

  it('ask for nothing that the host would do: upgrades, compression', async () => {
    const headers = ['Connection: Upgrade', 'Upgrade: websocket', 'Accept-Encoding: gzip', 'Content-Encoding: gzip'];
    const response = await exchange(port, requestText('POST', '/v1/x', { headers, body: 'not gzip' }));
    expect(response.header('content-encoding')).toBeUndefined();
    expect(textOf(readEcho(response))).toBe('not gzip');
  });
});

describe('bodies', () => {
  const bodyOf = async (method: string, body: string, ...headers: string[]): Promise<string | null> =>
    textOf(readEcho(await exchange(port, requestText(method, '/v1/x', { headers, body }))));

  it.each(['POST', 'PUT', 'LIST', 'DELETE', 'OPTIONS', 'PATCH'])('reach the function with %s', async (method) => {
    expect(await bodyOf(method, '{"a":1}')).toBe('{"a":1}');
  });

  it('are dropped with GET and HEAD', async () => {
    expect(await bodyOf('GET', 'x')).toBeNull();
    const connection = await openConnection(port);
    connection.write(requestText('HEAD', '/v1/x', { body: 'x' }));
    expect((await connection.response({ isHead: true })).status).toBe(200);
    connection.write(requestText('GET', '/v1/next'));
    expect(readEcho(await connection.response()).params).toEqual({ path: 'next' });
    connection.close();
  });

  it('are null without a length or with length 0', async () => {
    expect(textOf(readEcho(await exchange(port, requestText('POST', '/v1/x'))))).toBeNull();
    expect(await bodyOf('POST', '')).toBeNull();
  });

  it.each(['+3', '003'])('may have the length %s', async (length) => {
    const request = `${text('POST /v1/x HTTP/1.1', 'Host: host', `Content-Length: ${length}`)}abc`;
    expect(textOf(readEcho(await exchange(port, request)))).toBe('abc');
  });

  it.each([
    ['two lengths, equal or not', ['Content-Length: 1', 'Content-Length: 1']],
    ['a negative length', ['Content-Length: -1']],
  ])('are refused with 400: %s', async (_, headers) => {
    expect((await exchangeAndEnd(port, `${text('POST /v1/x HTTP/1.1', 'Host: host', ...headers)}a`)).status).toBe(400);
  });

  it('keep their type whatever it is, and their bytes', async () => {
    for (const type of ['garbage', 'application/merge-patch+json', 'application/json; charset=utf-16']) {
      const echo = readEcho(
        await exchange(port, requestText('POST', '/v1/x', { headers: [`Content-Type: ${type}`], body: 'null' })),
      );
      expect(echo.headers['content-type']).toBe(type);
      expect(textOf(echo)).toBe('null');
    }
    const untyped = readEcho(await exchange(port, requestText('POST', '/v1/x', { body: 'null' })));
    expect(untyped.headers).not.toHaveProperty('content-type');
    expect(textOf(untyped)).toBe('null');
  });

  it('are lost when chunked: the function runs and sees none, the connection lives on', async () => {
    const connection = await openConnection(port);
    const head = text('POST /v1/x HTTP/1.1', 'Host: host', 'Transfer-Encoding: chunked');
    connection.write(`${head}3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nTrailer: x\r\n\r\n`);
    const echo = readEcho(await connection.response());
    expect(echo.body).toBeNull();
    expect(echo.headers['transfer-encoding']).toBe('chunked');
    connection.write(requestText('GET', '/v1/next'));
    expect(readEcho(await connection.response()).params).toEqual({ path: 'next' });
    connection.close();
  });

  it('run the function even when the chunks are malformed', async () => {
    const head = text('POST /v1/x HTTP/1.1', 'Host: host', 'Transfer-Encoding: chunked');
    expect(readEcho(await exchangeAndEnd(port, `${head}zz\r\nabc\r\n0\r\n\r\n`)).body).toBeNull();
  });

  it('lose their length, which is renamed, when chunked too; the connection closes', async () => {
    const head = text('POST /v1/x HTTP/1.1', 'Host: host', 'Transfer-Encoding: chunked', 'Content-Length: 3');
    const echo = readEcho(await exchangeAndEnd(port, `${head}3\r\nabc\r\n0\r\n\r\n`));
    expect(echo.body).toBeNull();
    expect(echo.headers).toMatchObject({ 'x-content-length': '3' });
    expect(echo.headers).not.toHaveProperty('content-length');
  });

  it('are asked for with 100 Continue when the client waits for it', async () => {
    const connection = await openConnection(port);
    connection.write(text('POST /v1/x HTTP/1.1', 'Host: host', 'Content-Length: 2', 'Expect: 100-continue'));
    expect((await connection.response()).status).toBe(100);
    connection.write('ab');
    expect(textOf(readEcho(await connection.response()))).toBe('ab');
    connection.close();
  });

  it('are read as JSON by the app: errors end in 500, big integers lose digits', async () => {
    const parse = async (body: string | Buffer): Promise<unknown> => {
      const head = text('POST /json HTTP/1.1', 'Host: host', `Content-Length: ${Buffer.byteLength(body)}`);
      const response = await exchange(port, Buffer.concat([Buffer.from(head), Buffer.from(body)]));
      return response.status === 200
        ? (JSON.parse(response.body.toString()) as { value: unknown }).value
        : response.status;
    };
    expect(await parse('')).toBe(500);
    expect(await parse('{')).toBe(500);
    expect(await parse('null')).toBeNull();
    expect(await parse('5')).toBe(5);
    expect(await parse('"s"')).toBe('s');
    expect(await parse('\uFEFF{"a":1}')).toEqual({ a: 1 });
    expect(await parse(Buffer.from([0x22, 0xff, 0x22]))).toBe('\uFFFD');
    expect(await parse('12345678901234567890')).toBe(12345678901234567000);
  });
});

describe('connections', () => {
  it('answer pipelined requests in order', async () => {
    const connection = await openConnection(port);
    connection.write(
      requestText('GET', '/slow/80') + requestText('POST', '/v1/a', { body: 'x' }) + requestText('GET', '/v1/b'),
    );
    expect((await connection.response()).body.toString()).toBe('done');
    expect(readEcho(await connection.response()).params).toEqual({ path: 'a' });
    expect(readEcho(await connection.response()).params).toEqual({ path: 'b' });
    connection.close();
  });

  it('stay open, and close when the client asks', async () => {
    const response = await exchangeAndEnd(port, requestText('GET', '/v1/a', { headers: ['Connection: close'] }));
    expect(response.header('connection')).toBe('close');
  });

  it('that the client gives up leave the function running to its end', async () => {
    const connection = await openConnection(port);
    connection.write(requestText('GET', '/slow/123'));
    await app.line(({ message }) => message.includes("Executing 'Functions.slow'"));
    connection.close();
    await app.line(({ message }) => message === 'slow 123 is done');
    await app.line(({ message }) => /Executed 'Functions\.slow' \(Succeeded/.test(message));
  });
});

describe('x-ms-client-principal', () => {
  const userOf = async (principal: unknown, ...headers: string[]): Promise<unknown> => {
    const encoded = Buffer.from(JSON.stringify(principal)).toString('base64');
    const all = [`x-ms-client-principal: ${encoded}`, ...headers];
    const response = await exchange(port, requestText('GET', '/principal', { headers: all }));
    return response.status === 200 ? (JSON.parse(response.body.toString()) as { user: unknown }).user : response.status;
  };

  it('is passed untouched, so that a client forges its user', async () => {
    const parts = ['-id: 1', '-name: root', '-idp: aad'].map((part) => `x-ms-client-principal${part}`);
    expect(await userOf({ claims: [] }, ...parts)).toMatchObject({
      id: '1',
      username: 'root',
      identityProvider: 'aad',
    });
  });

  it('ends in 500 without its companions, and is null when garbage', async () => {
    expect(await userOf({ claims: [] })).toBe(500);
    expect(await userOf('garbage')).toBeNull();
  });
});
