import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { performance } from 'node:perf_hooks';
import { reportFaults } from '../../support/report-faults.ts';
import { keyClient, premiumVault, startVaults } from './support/start.ts';
import { raw, refusalOf, refusalOfCall, versioned } from './support/raw.ts';

let vaults: Awaited<ReturnType<typeof startVaults>>;
let uri: string;
let serial = 0;
const fresh = () => `key-${++serial}`;

beforeAll(async () => {
  vaults = await startVaults({ vaults: [premiumVault] });
  ({ uri } = vaults.addressOf('premium-vault'));
});
afterAll(async () => vaults.stop());
reportFaults(() => vaults.faults);
afterEach(() => vaults.faults.clear());

const create = (name: string) => raw(uri, 'POST', versioned(`/keys/${name}/create`), { kty: 'EC' });
const versionsOf = async (name: string): Promise<number> => {
  const answer = await raw(uri, 'GET', versioned(`/keys/${name}/versions`));
  return (answer.body.value as unknown[]).length;
};
const last = () => vaults.calls.at(-1);

test('refuse answers as told and has no effect', async () => {
  const name = fresh();
  vaults.faults.add({
    service: 'key-vault',
    operation: 'create',
    name,
    fault: { kind: 'refuse', status: 418, code: 'Tea' },
  });
  expect(refusalOf(await create(name))).toEqual([418, 'Tea']);
  expect(await versionsOf(name)).toBe(0);
});

test('fail-after-effect has the effect and answers 500', async () => {
  const name = fresh();
  vaults.faults.add({ service: 'key-vault', operation: 'create', times: 1, fault: { kind: 'fail-after-effect' } });
  expect((await create(name)).status).toBe(500);
  expect(await versionsOf(name)).toBe(1);
});

test('drop-reply has the effect and closes the connection', async () => {
  const name = fresh();
  vaults.faults.add({ service: 'key-vault', operation: 'create', times: 1, fault: { kind: 'drop-reply' } });
  await expect(create(name)).rejects.toThrow(/hang up|ECONNRESET/);
  expect(last()).toMatchObject({ operation: 'create', status: 0 });
  expect(await versionsOf(name)).toBe(1);
});

test('reset closes the connection and has no effect', async () => {
  const name = fresh();
  vaults.faults.add({ service: 'key-vault', operation: 'create', times: 1, fault: { kind: 'reset' } });
  await expect(create(name)).rejects.toThrow(/hang up|ECONNRESET/);
  expect(await versionsOf(name)).toBe(0);
});

test('delay answers normally, late', async () => {
  const name = fresh();
  vaults.faults.add({ service: 'key-vault', operation: 'get', fault: { kind: 'delay', milliseconds: 150 } });
  await create(name);
  const start = performance.now();
  expect((await raw(uri, 'GET', versioned(`/keys/${name}`))).status).toBe(200);
  expect(performance.now() - start).toBeGreaterThan(145);
});

test('twice has the effect twice, and a delete done twice still succeeded', async () => {
  const name = fresh();
  vaults.faults.add({ service: 'key-vault', operation: /^(create|delete)$/, fault: { kind: 'twice' } });
  expect((await create(name)).status).toBe(200);
  expect(await versionsOf(name)).toBe(2);
  expect((await raw(uri, 'DELETE', versioned(`/keys/${name}`))).status).toBe(200);
});

test.each([
  [undefined, undefined],
  [7, '7'],
])('throttle with retryAfterSeconds %s answers 429 with Retry-After %s', async (retryAfterSeconds, header) => {
  const fault = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  vaults.faults.add({ service: 'key-vault', operation: 'list', fault: { kind: 'throttle', ...fault } });
  const answer = await raw(uri, 'GET', versioned('/keys'));
  expect(refusalOf(answer)).toEqual([429, 'Throttled']);
  expect(answer.headers['retry-after']).toBe(header);
});

test('the SDK repeats a 429 that has Retry-After, and hands one without it to its caller', async () => {
  const name = fresh();
  await create(name);
  const client = keyClient(uri, 'admin', { retryOptions: { maxRetries: 3, retryDelayInMs: 1 } });
  vaults.faults.add({
    service: 'key-vault',
    operation: 'get',
    times: 1,
    fault: { kind: 'throttle', retryAfterSeconds: 0 },
  });
  await client.getKey(name);
  vaults.faults.add({ service: 'key-vault', operation: 'get', times: 1, fault: { kind: 'throttle' } });
  expect(await refusalOfCall(client.getKey(name))).toEqual([429, 'Throttled']);
});

test('the SDK repeats a create that failed after its effect: two versions', async () => {
  const name = fresh();
  vaults.faults.add({
    service: 'key-vault',
    operation: 'create',
    name,
    times: 1,
    fault: { kind: 'fail-after-effect' },
  });
  await keyClient(uri, 'admin', { retryOptions: { maxRetries: 3, retryDelayInMs: 1 } }).createKey(name, 'EC');
  expect(await versionsOf(name)).toBe(2);
});

test.each([500, 502, 503, 504])('the SDK repeats a %d', async (status) => {
  const name = fresh();
  await create(name);
  vaults.faults.add({ service: 'key-vault', operation: 'get', times: 1, fault: { kind: 'refuse', status } });
  await keyClient(uri, 'admin', { retryOptions: { maxRetries: 1, retryDelayInMs: 1 } }).getKey(name);
  expect(vaults.faults.log.at(-1)).toMatchObject({ operation: 'get', name, fault: { status } });
});

test.each([
  ['setSecret', 'PUT', '/secrets/it', { value: 'v' }],
  ['getSecret', 'GET', '/secrets/it', undefined],
  ['import', 'PUT', '/keys/it', {}],
  ['sign', 'POST', '/keys/it//sign', {}],
  ['unwrapKey', 'POST', '/keys/it//unwrapkey', {}],
  ['getDeleted', 'GET', '/deletedkeys/it', undefined],
  ['recoverSecret', 'POST', '/deletedsecrets/it/recover', undefined],
  ['restore', 'POST', '/keys/restore', {}],
])('an operation is asked for by its own name: %s', async (operation, method, path, body) => {
  vaults.faults.add({ service: 'key-vault', operation, times: 1, fault: { kind: 'refuse', status: 418, code: 'Tea' } });
  expect(refusalOf(await raw(uri, method, versioned(path), body))).toEqual([418, 'Tea']);
  expect(vaults.faults.log.at(-1)).toMatchObject({ operation, name: operation === 'restore' ? '' : 'it' });
});

test('an empty page has no items and a link, by which the SDK comes to all of them', async () => {
  const name = fresh();
  for (let count = 0; count < 3; count++) await create(name);
  vaults.faults.add({ service: 'key-vault', operation: 'versions', times: 2, fault: { kind: 'empty-page' } });
  const pages = await Array.fromAsync(keyClient(uri).listPropertiesOfKeyVersions(name).byPage());
  expect(pages.map(({ length }) => length)).toEqual([0, 0, 3]);
  expect(vaults.faults.log.slice(-2)).toEqual([
    { service: 'key-vault', operation: 'versions', name, fault: { kind: 'empty-page' } },
    { service: 'key-vault', operation: 'versions', name, fault: { kind: 'empty-page' } },
  ]);
});

test('a broken page is whole by its length and ends in the middle of its JSON', async () => {
  const name = fresh();
  await create(name);
  vaults.faults.add({ service: 'key-vault', operation: 'versions', times: 2, fault: { kind: 'broken-page' } });
  const { status, headers, text } = await raw(uri, 'GET', versioned(`/keys/${name}/versions`));
  expect([status, Number(headers['content-length'])]).toEqual([200, text.length]);
  expect(text).toMatch(/^\{"value":\[/);
  expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
  const listing = Array.fromAsync(keyClient(uri).listPropertiesOfKeyVersions(name));
  await expect(listing).rejects.toMatchObject({ code: 'PARSE_ERROR' });
  expect(await versionsOf(name)).toBe(1);
});

test('faults of pages touch nothing but pages, refusals of lists included', async () => {
  const name = fresh();
  vaults.faults.add({ service: 'key-vault', fault: { kind: 'broken-page' } });
  expect((await create(name)).status).toBe(200);
  expect((await raw(uri, 'GET', versioned(`/keys/${name}`))).status).toBe(200);
  expect(refusalOf(await raw(uri, 'GET', versioned('/keys?maxresults=26')))).toEqual([400, 'BadParameter']);
});
