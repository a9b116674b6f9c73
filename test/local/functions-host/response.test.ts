import { beforeAll, describe, expect, it } from 'vitest';
import { type RunningApp, startApp } from './support/app.ts';
import { exchange, exchangeAndEnd, openConnection, type RawResponse, requestText } from './support/raw-client.ts';

let app: RunningApp;
let port: number;

beforeAll(async () => {
  app = await startApp({ app: 'http' });
  port = app.host.port;
});

const answer = (name: string): Promise<RawResponse> => exchange(port, requestText('GET', `/answer/${name}`));
const namesOf = (response: RawResponse): string[] => response.headers.map(([name]) => name.toLowerCase()).sort();

describe('framing', () => {
  it('is chunked for a body that is not empty', async () => {
    const response = await answer('json');
    expect(response.statusLine).toBe('HTTP/1.1 200 OK');
    expect(response.header('transfer-encoding')).toBe('chunked');
    expect(response.header('content-length')).toBeUndefined();
    expect(response.body.toString()).toBe('{"a":1}');
  });

  it('is a length of 0 for an empty one', async () => {
    const response = await answer('nothing');
    expect(response.status).toBe(200);
    expect(response.header('content-length')).toBe('0');
  });

  it('follows the length that the app sets', async () => {
    const response = await answer('length-exact');
    expect(response.header('content-length')).toBe('4');
    expect(response.header('transfer-encoding')).toBeUndefined();
    expect(response.body.toString()).toBe('four');
  });

  it('cuts the body short and closes when that length is too long', async () => {
    const response = await exchangeAndEnd(port, requestText('GET', '/answer/length-long'));
    expect(response.header('content-length')).toBe('9');
    expect(response.body.toString()).toBe('four');
  });

  it('answers 500 and closes when that length is too short', async () => {
    const response = await exchangeAndEnd(port, requestText('GET', '/answer/length-short'));
    expect(response.status).toBe(500);
    expect(response.body).toHaveLength(0);
  });

  it('breaks when the app sets a transfer coding', async () => {
    const connection = await openConnection(port);
    connection.write(requestText('GET', '/answer/own-coding', { headers: ['Connection: close'] }));
    await expect(connection.response()).rejects.toThrow('raw bytes');
    connection.close();
  });

  it('sends headers without a length for HEAD', async () => {
    const connection = await openConnection(port);
    connection.write(requestText('HEAD', '/answer/text') + requestText('HEAD', '/answer/nothing'));
    const response = await connection.response({ isHead: true });
    expect(namesOf(response)).toEqual(['content-type', 'date', 'server']);
    expect(namesOf(await connection.response({ isHead: true }))).toEqual(['date', 'server']);
    connection.close();
  });

  it('drops the body of 204 and 304, without a length, and keeps their headers', async () => {
    const noContent = await answer('no-content');
    expect(noContent.status).toBe(204);
    expect(namesOf(noContent)).toEqual(['date', 'server', 'x-kept']);
    const notModified = await answer('not-modified');
    expect(notModified.status).toBe(304);
    expect(namesOf(notModified)).toEqual(['date', 'etag', 'server']);
  });

  it('takes 130 MB', { timeout: 20_000 }, async () => {
    const response = await fetch(`${app.host.url}/answer/large`);
    expect((await response.arrayBuffer()).byteLength).toBe(130 * 1024 * 1024);
  });
});

describe('what a function returns', () => {
  it('jsonBody: application/json exactly, or byte for byte what the app sets', async () => {
    expect((await answer('json')).header('content-type')).toBe('application/json');
    expect((await answer('json-typed')).header('content-type')).toBe('application/vnd.api+json; Charset="X"');
  });

  it('jsonBody null, or nothing: 200 empty, without a type', async () => {
    for (const name of ['json-null', 'nothing']) {
      const response = await answer(name);
      expect(response.status).toBe(200);
      expect(namesOf(response)).toEqual(['content-length', 'date', 'server']);
    }
  });

  it('a string: text/plain;charset=UTF-8; bytes: no type', async () => {
    expect((await answer('text')).header('content-type')).toBe('text/plain;charset=UTF-8');
    const bytes = await answer('bytes');
    expect(bytes.header('content-type')).toBeUndefined();
    expect(bytes.body).toEqual(Buffer.from([0, 255]));
  });

  it('an empty string: type kept, length 0', async () => {
    const response = await answer('empty-text');
    expect(response.header('content-type')).toBe('text/plain;charset=UTF-8');
    expect(response.header('content-length')).toBe('0');
  });

  it.each(['null', 'undefined', 'throws-null'])('%s: 204', async (name) => {
    expect((await answer(name)).status).toBe(204);
  });

  it.each(['string', 'number', 'circular', 'bigint', 'throws'])('%s: 500 empty', async (name) => {
    const response = await answer(name);
    expect(response.status).toBe(500);
    expect(namesOf(response)).toEqual(['content-length', 'date', 'server']);
    expect(response.body).toHaveLength(0);
  });

  it('a throw: its text is only in the log', async () => {
    await answer('throws');
    const line = await app.line(({ message }) => message.includes('the reason is only in the log'));
    expect(line).toMatchObject({ category: 'Function.answer', level: 'error' });
  });

  it('an array: 200 empty', async () => {
    const response = await answer('array');
    expect([response.status, response.body.length]).toEqual([200, 0]);
  });

  it.each([
    ['status-fraction', 200],
    ['status-472', 472],
    ['status-473', 473],
    ['status-text', 404],
    ['status-199', 500],
    ['status-600', 500],
  ])('%s: %d', async (name, status) => {
    expect((await answer(name)).status).toBe(status);
  });

  it.each(['header-newline', 'header-name', 'header-latin', 'header-wide'])('%s: 500 empty', async (name) => {
    const response = await answer(name);
    expect([response.status, response.body.length]).toEqual([500, 0]);
  });

  it('cookies: a header each', async () => {
    const cookies = (await answer('cookies')).headers
      .filter(([name]) => name === 'Set-Cookie')
      .map(([, value]) => value);
    expect(cookies).toEqual([
      'a=1%202; max-age=60; path=/p; secure; samesite=strict; httponly',
      'b=2; expires=Thu, 01 Jan 1970 00:00:01 GMT; domain=host; path=/',
    ]);
  });

  it('set-cookie appended twice: only the last; any other header: joined', async () => {
    const cookies = (await answer('appended-cookies')).headers.filter(([name]) => name === 'Set-Cookie');
    expect(cookies).toEqual([['Set-Cookie', 'b=2']]);
    expect((await answer('appended-header')).header('x-twice')).toBe('a, b');
  });

  it("server and date of its own: in place of the host's", async () => {
    const response = await answer('own-names');
    expect(response.headers.filter(([name]) => /^(server|date)$/i.test(name))).toEqual([
      ['Date', 'Thu, 01 Jan 1970 00:00:00 GMT'],
      ['Server', 'mine'],
    ]);
  });
});

describe('http.customHeaders', () => {
  it('are added to what functions and the host answer unless set, not to what the server refuses', async () => {
    const customHeaders = { 'x-custom': 'yes', server: 'custom' };
    const { host } = await startApp({ app: 'http', http: { customHeaders }, host: { masterKey: 'k' } });
    const at = (target: string): Promise<RawResponse> => exchange(host.port, requestText('GET', target));
    for (const target of ['/answer/json', '/nowhere', '/answer/throws', '/', '/admin/host/status']) {
      const response = await at(target);
      expect([target, response.header('x-custom'), response.header('server')]).toEqual([target, 'yes', 'custom']);
    }
    expect((await at('/answer/own-names')).header('server')).toBe('mine');
    for (const target of ['/a b', `/${'a'.repeat(9000)}`]) {
      expect((await at(target)).header('x-custom')).toBeUndefined();
    }
  });
});
