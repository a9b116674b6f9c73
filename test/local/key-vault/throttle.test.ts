import { afterEach, describe, expect, test } from 'vitest';
import type { ThrottleOptions } from '../../../src/local/key-vault/index.ts';
import { createSlidingBudget } from '../../../src/local/key-vault/sliding-budget.ts';
import { serviceLimits } from '../../../src/local/key-vault/vault-limits.ts';
import { keyClient, premiumVault, startVaults } from './support/start.ts';
import { raw, refusalOf, refusalOfCall, versioned } from './support/raw.ts';

type Vaults = Awaited<ReturnType<typeof startVaults>>;
let running: Vaults | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const names = [...Array(6).keys()].map((n) => `vault-${n}`);

async function start(throttle: ThrottleOptions) {
  let milliseconds = Date.now();
  running = await startVaults({
    vaults: names.map((name) => ({ ...premiumVault, name })),
    throttle,
    now: () => new Date(milliseconds),
  });
  const vaults = running;
  const call = (vault: number, method: string, path: string, body?: unknown) =>
    raw(vaults.addressOf(names[vault] ?? '').uri, method, versioned(path), body);
  return {
    uri: vaults.addressOf('vault-0').uri,
    call,
    wait: (time: number) => void (milliseconds += time),
    /** Calls until it is refused. @returns how often it was answered 200 */
    countUntilRefused: async (vault: number, method: string, path: string, body?: unknown): Promise<number> => {
      for (let count = 0; count < 1000; count++) {
        const answer = await call(vault, method, path, body);
        if (answer.status === 429) return count;
        expect(answer.status).toBe(200);
      }
      throw new Error('it was never refused');
    },
  };
}

const software = { kty: 'EC' };
const hardware = { kty: 'EC-HSM' };

test('a vault can be given limits while it runs, and others again', async () => {
  const { countUntilRefused, wait } = await start({});
  const vault = running?.control('vault-0');
  vault?.setThrottle({ limits: { createSoftwareKey: 3 } });
  expect(await countUntilRefused(0, 'POST', '/keys/soft/create', software)).toBe(3);
  vault?.setThrottle(undefined);
  wait(10_000);
  expect(await countUntilRefused(0, 'POST', '/keys/soft/create', software)).toBe(20);
});

test('the limits of the service are there unless others are given', async () => {
  expect(serviceLimits).toMatchObject({
    createHsmKey: 10,
    createSoftwareKey: 20,
    useHsmRsa2048: 2000,
    useHsmRsa4096: 250,
    useSoftwareRsa2048: 4000,
    useSoftwareRsa4096: 500,
    import: 300,
    other: 4000,
  });
  const { countUntilRefused } = await start({});
  expect(await countUntilRefused(0, 'POST', '/keys/hard/create', hardware)).toBe(10);
  expect(await countUntilRefused(0, 'POST', '/keys/soft/create', software)).toBe(20);
});

test('a rotation is charged like the creation of what it makes', async () => {
  const { call, countUntilRefused } = await start({});
  await call(0, 'POST', '/keys/hard/create', hardware);
  expect(await countUntilRefused(0, 'POST', '/keys/hard/rotate')).toBe(9);
});

test('imports of keys and sets of secrets share a budget', async () => {
  const { call, countUntilRefused } = await start({ limits: { import: 7 } });
  for (let count = 0; count < 3; count++) expect((await call(0, 'PUT', '/secrets/s', { value: 'v' })).status).toBe(200);
  expect((await call(0, 'PUT', '/keys/k', { key: {} })).status).toBe(400);
  expect(await countUntilRefused(0, 'PUT', '/secrets/s', { value: 'v' })).toBe(3);
  expect((await call(0, 'PUT', '/keys/k', { key: {} })).status).toBe(429);
  expect((await call(0, 'GET', '/secrets/s')).status).toBe(200);
});

test('use of keys of different kinds adds up as fractions of one budget', async () => {
  const limits = { useSoftwareEc: 40, useHsmEc: 20, useSoftwareRsa2048: 40, useSoftwareRsa4096: 5, other: 40 };
  const { call, countUntilRefused } = await start({ limits });
  await call(0, 'POST', '/keys/soft/create', software);
  await call(0, 'POST', '/keys/hard/create', hardware);
  await call(0, 'POST', '/keys/large/create', { kty: 'RSA', key_size: 4096 });
  for (let count = 0; count < 20; count++) expect((await call(0, 'GET', '/keys/soft')).status).toBe(200);
  for (let count = 0; count < 5; count++) expect((await call(0, 'GET', '/keys/hard')).status).toBe(200);
  expect(await countUntilRefused(0, 'GET', '/keys/large')).toBe(1);
  expect(await countUntilRefused(0, 'GET', '/keys/soft')).toBe(2);
  expect((await call(0, 'GET', '/keys')).status).toBe(200);
});

test('lists, deleted objects and absent keys are charged to the budget for the rest', async () => {
  const { call } = await start({ limits: { other: 4 } });
  const paths = ['/keys', '/deletedkeys', '/keys/none/versions', '/keys/none', '/secrets'];
  const statuses: number[] = [];
  for (const path of paths) statuses.push((await call(0, 'GET', path)).status);
  expect(statuses).toEqual([200, 200, 200, 404, 429]);
});

test('a subscription has five times the budget of a vault', async () => {
  const { countUntilRefused } = await start({ limits: { other: 4 } });
  const counts: number[] = [];
  for (const vault of names.keys()) counts.push(await countUntilRefused(vault, 'GET', '/keys'));
  expect(counts).toEqual([4, 4, 4, 4, 4, 0]);
});

test('refusals cost nothing, and the window slides', async () => {
  const { call, countUntilRefused, wait } = await start({ limits: { other: 4 } });
  await call(0, 'GET', '/keys');
  wait(6000);
  expect(await countUntilRefused(0, 'GET', '/keys')).toBe(3);
  for (let count = 0; count < 5; count++) await call(0, 'GET', '/keys');
  wait(3999);
  expect((await call(0, 'GET', '/keys')).status).toBe(429);
  wait(1);
  expect(await countUntilRefused(0, 'GET', '/keys')).toBe(1);
  wait(6000);
  expect(await countUntilRefused(0, 'GET', '/keys')).toBe(3);
});

describe('a refusal', () => {
  test('has no Retry-After as seen of the service, so that the SDK gives up at once', async () => {
    const { call, uri } = await start({ limits: { other: 1 } });
    await call(0, 'GET', '/keys');
    const answer = await call(0, 'GET', '/keys');
    expect(refusalOf(answer)).toEqual([429, 'Throttled']);
    expect(answer.body.error?.message).toMatch(/Reason: VaultRequestTypeLimitReached$/);
    expect(answer.headers).not.toHaveProperty('retry-after');
    const client = keyClient(uri, 'admin', { retryOptions: { maxRetries: 3 } });
    expect(await refusalOfCall(client.getKey('none'))).toEqual([429, 'Throttled']);
  });

  test('can have one', async () => {
    const { call } = await start({ limits: { other: 1 }, retryAfterSeconds: 3 });
    await call(0, 'GET', '/keys');
    expect((await call(0, 'GET', '/keys')).headers['retry-after']).toBe('3');
  });

  test('has no effect', async () => {
    const { call, countUntilRefused } = await start({ limits: { import: 1 } });
    expect(await countUntilRefused(0, 'PUT', '/secrets/s', { value: 'v' })).toBe(1);
    expect((await call(0, 'GET', '/secrets/s/versions')).body.value).toHaveLength(1);
  });
});

test('in no window of a sliding budget is more spent than its limit', () => {
  const budget = createSlidingBudget(10, 1000);
  const spent: { at: number; units: number }[] = [];
  for (let at = 0; at < 20_000; at += 37) {
    const units = 1 + ((at * 7) % 3);
    if (!budget.fits(units, at)) continue;
    budget.spend(units, at);
    spent.push({ at, units });
    const inWindow = spent.filter((entry) => entry.at > at - 1000).reduce((sum, entry) => sum + entry.units, 0);
    expect(inWindow).toBeLessThanOrEqual(10);
  }
  expect(spent.reduce((sum, entry) => sum + entry.units, 0)).toBeGreaterThan(180);
});
