import { expect, test } from 'vitest';
import { createRateLimit } from '../../src/vault-api/rate-limit.ts';
import { createHarness, plainToken, start } from './support/harness.ts';

test('a caller that asks too much is told how long to wait, and others are not', async () => {
  const harness = await createHarness({ requestsPerSecond: 2 });
  const call = (token?: string) =>
    harness.call('GET', '/v1/auth/token/lookup-self', token === undefined ? {} : { token });
  const statuses = [];
  for (let count = 0; count < 5; count++) statuses.push((await call()).status);
  expect(statuses).toEqual([200, 200, 200, 200, 429]);
  const refused = await call();
  expect(refused).toMatchObject({
    status: 429,
    headers: { 'Retry-After': '1', 'Content-Type': 'application/json' },
    json: { errors: ['request path "auth/token/lookup-self": rate limit quota exceeded'] },
  });
  expect((await call(plainToken)).status).toBe(200);
  harness.clock.now = new Date(start.getTime() + 500);
  expect([(await call()).status, (await call()).status]).toEqual([200, 429]);
  // What needs no token is for everybody.
  expect((await harness.call('GET', '/v1/sys/health')).status).toBe(200);
});

test('buckets fill up to their rim, whatever the clock does', () => {
  const clock = { now: start };
  const limit = createRateLimit({ requestsPerSecond: 0.5, now: () => clock.now });
  expect([limit.take('a'), limit.take('a')]).toEqual([0, 2]);
  clock.now = new Date(start.getTime() - 3_600_000);
  expect(limit.take('a')).toBe(2);
  clock.now = new Date(start.getTime() + 3_600_000);
  expect([limit.take('a'), limit.take('a')]).toEqual([0, 2]);
});

test('ten thousand callers are remembered, not more', () => {
  const limit = createRateLimit({ requestsPerSecond: 0.5, now: () => start });
  limit.take('first');
  for (let index = 0; index < 9_999; index++) limit.take(`caller ${index}`);
  expect(limit.take('first')).toBe(2);
  for (let index = 0; index < 10_000; index++) limit.take(`other ${index}`);
  expect(limit.take('first')).toBe(0);
});
