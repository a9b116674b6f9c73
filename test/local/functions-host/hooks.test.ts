import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningApp, startApp } from './support/app.ts';
import { exchange, type RawResponse, requestText } from './support/raw-client.ts';

let app: RunningApp;
const call = (query: string): Promise<RawResponse> => exchange(app.host.port, requestText('GET', `/hooked?${query}`));
const order = async (): Promise<unknown> =>
  JSON.parse((await exchange(app.host.port, requestText('GET', '/order'))).body.toString());

beforeAll(async () => {
  app = await startApp({ app: 'hooked' });
});

describe('the order', () => {
  it('is load, appStart (awaited), pre hooks, handler, post hooks', async () => {
    await call('');
    expect(await order()).toEqual(['load', 'appStart', 'pre 1', 'pre 2', 'handler', 'post with from pre']);
  });
});

describe('hooks of an invocation', () => {
  beforeEach(async () => {
    await order();
  });

  it('may replace the handler', async () => {
    expect((await call('replace')).body.toString()).toBe('replaced');
  });

  it('that throw before it skip later pre hooks, handler and post hooks: 500', async () => {
    expect((await call('pre-throws')).status).toBe(500);
    expect(await order()).toEqual(['pre 1']);
  });

  it('that throw after it: 500', async () => {
    expect((await call('post-throws')).status).toBe(500);
  });

  it('turn a throw into an answer when they clear the error and set a result', async () => {
    const response = await call('throws&rescue');
    expect([response.status, response.body.toString()]).toEqual([418, 'rescued']);
  });

  it('do not when the error is left, or the result cannot be serialised', async () => {
    expect((await call('throws&half-rescue')).status).toBe(500);
    expect((await call('throws&bad-result')).status).toBe(500);
  });

  it('make it 204 with an undefined result', async () => {
    expect((await call('throws&empty')).status).toBe(204);
  });

  it('may change what is logged', async () => {
    await call('');
    await app.line(({ category, message }) => category === 'Function.hooked.User' && message === 'a ******');
    expect(app.messages('Function.hooked.User').join()).not.toContain('secret');
  });
});
