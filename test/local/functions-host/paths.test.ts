import { beforeAll, describe, expect, it } from 'vitest';
import { type RunningApp, startApp } from './support/app.ts';
import { type Echo, readEcho } from './support/echo.ts';
import { exchange, exchangeAndEnd, requestText } from './support/raw-client.ts';

let app: RunningApp;
const echo = async (target: string): Promise<Echo> =>
  readEcho(await exchange(app.host.port, requestText('GET', target)));

beforeAll(async () => {
  app = await startApp({ app: 'http' });
});

describe('the path', () => {
  it.each([
    ['a%2fb', 'a%2fb', 'a%2fb', 'a slash stays encoded, in its own case'],
    ['a%2Fb', 'a%2Fb', 'a%2Fb', 'the other case too'],
    ['a%252fb', 'a%2fb', 'a%2fb', 'a slash encoded twice looks as if encoded once'],
    ['a%20b', 'a%20b', 'a b', 'a space'],
    ['a%25b', 'a%25b', 'a%b', 'a percent sign'],
    ['a%c3%a9', 'a%C3%A9', 'aé', 'UTF-8, encoded again in upper case'],
    ['a%0Ab', 'a%0Ab', 'a\nb', 'a newline'],
    ['a+b', 'a+b', 'a+b', 'a plus'],
    ['a%2Bb', 'a+b', 'a+b', 'an encoded plus'],
    ['a%5Cb', 'a%5Cb', 'a\\b', 'an encoded backslash'],
    ['a\\b', 'a%5Cb', 'a\\b', 'a backslash'],
    ['%', '%25', '%', 'a lone percent sign'],
    ['a%zz', 'a%25zz', 'a%zz', 'no hexadecimal digits'],
    ['a%ff', 'a%ff', 'a%ff', 'no UTF-8'],
    ['a%c3%28', 'a%c3(', 'a%c3(', 'broken UTF-8'],
    ['%f0%9f%98%80', '%F0%9F%98%80', '😀', 'four bytes of UTF-8'],
    ['%ed%a0%80', '%ed%a0%80', '%ed%a0%80', 'a surrogate'],
    [";:@=,'~", ";:@=,'~", ";:@=,'~", 'what needs no encoding'],
    ['{}[]<>', '%7B%7D%5B%5D%3C%3E', '{}[]<>', 'what a url may not hold'],
    ['a#b', 'a%23b', 'a#b', 'a number sign, which is text'],
    ['é%41'.replace('é', '%c3%a9'), '%C3%A9A', 'éA', 'an escape that needs none beside one that does'],
  ])('%s: url %s, parameter %j (%s)', async (sent, url, parameter) => {
    expect(await echo(`/v1/${sent}`)).toMatchObject({ url: `http://host/v1/${url}`, params: { path: parameter } });
  });

  it('makes url and parameters disagree for dot segments encoded twice', async () => {
    expect(await echo('/v1/%252e%252e/x')).toMatchObject({ url: 'http://host/x', params: { path: '%2e%2e/x' } });
  });

  it.each([
    ['/v1/a/../b', 'b'],
    ['/v1/a/%2e%2e/b', 'b'],
    ['/v1/./a', 'a'],
    ['/v1/a/.', 'a/'],
    ['/../v1/x', 'x'],
    ['/x/..%2fy/../../v1/z', 'z'],
    ['/v1/a/...', 'a/...'],
  ])('has its dot segments resolved before routing: %s', async (target, parameter) => {
    expect((await echo(target)).params).toEqual({ path: parameter });
  });

  it('takes an empty segment only inside a catch-all', async () => {
    expect((await exchange(app.host.port, requestText('GET', '/v1//a'))).status).toBe(404);
    expect((await echo('/v1/a//')).params).toEqual({ path: 'a//' });
    expect((await exchange(app.host.port, requestText('GET', '//v1/a'))).status).toBe(404);
  });

  it.each([
    ['an encoded NUL', '/v1/%00'],
    ['a space', '/v1/a b'],
    ['a NUL', '/v1/a\0b'],
    ['something beyond ASCII', '/v1/é'],
  ])('is refused with 400 when it holds %s, and the connection closed', async (_, target) => {
    const response = await exchangeAndEnd(app.host.port, requestText('GET', target));
    expect(response.status).toBe(400);
    expect(response.header('connection')).toBe('close');
    expect(response.body).toHaveLength(0);
  });
});

describe('the query', () => {
  it('has the values of one name joined, names ignoring case, in request.query; the url stays exact', async () => {
    const { query, search, url } = await echo('/v1/x?x=1&x=2&y=&z&=w');
    expect(query).toEqual([
      ['x', '1,2'],
      ['y', ''],
      ['z', ''],
      ['', 'w'],
    ]);
    expect(search).toEqual([
      ['x', '1'],
      ['x', '2'],
      ['y', ''],
      ['z', ''],
      ['', 'w'],
    ]);
    expect(url).toBe('http://host/v1/x?x=1&x=2&y=&z&=w');
    expect((await echo('/v1/x?X=1&x=2')).query).toEqual([['X', '1,2']]);
  });

  it('is decoded as a form', async () => {
    expect((await echo('/v1/x?q=a+b%20c%2B')).query).toEqual([['q', 'a b c+']]);
  });

  it('keeps escapes that are none', async () => {
    expect((await echo('/v1/x?a=%ff&b=%')).query).toEqual([
      ['a', '%ff'],
      ['b', '%'],
    ]);
  });
});
