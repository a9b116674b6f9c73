import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { premiumVault, startVaults } from './support/start.ts';
import { raw, refusalOf, type RawAnswer } from './support/raw.ts';

const lag = 60_000;
let vaults: Awaited<ReturnType<typeof startVaults>>;
let uri: string;
let name: string;
let serial = 0;

beforeAll(async () => {
  vaults = await startVaults({
    vaults: [premiumVault, { ...premiumVault, name: 'quiet' }],
    deletionLagMilliseconds: lag,
    recoveryLagMilliseconds: lag,
  });
  ({ uri } = vaults.addressOf('premium-vault'));
});
afterAll(async () => vaults.stop());
beforeEach(() => void (name = `secret-${++serial}`));

const call = (method: string, path: string, body?: unknown) => raw(uri, method, `${path}?api-version=2026-04-01`, body);
const put = (body: unknown) => call('PUT', `/secrets/${name}`, body);
const set = (body: object = { value: 'v' }) => put(body);
const get = (version = '') => call('GET', `/secrets/${name}/${version}`);
const update = (body: unknown, version = '') => call('PATCH', `/secrets/${name}/${version}`, body);
const remove = () => call('DELETE', `/secrets/${name}`);
const versionOf = (answer: RawAnswer) => answer.body.id?.split('/').at(-1) ?? '';
const absent = [404, 'SecretNotFound'];

test('set answers in the order of the service, and get the same', async () => {
  const answer = await set({
    value: 'v',
    contentType: 'text/plain',
    tags: { a: 'b' },
    attributes: { nbf: 1, exp: 2524611661 },
  });
  expect(Object.keys(answer.body)).toEqual(['value', 'contentType', 'id', 'attributes', 'tags']);
  expect(answer.body.id).toMatch(new RegExp(`^${uri}/secrets/${name}/[0-9a-f]{32}$`));
  const { created, updated } = answer.body.attributes ?? {};
  expect(JSON.stringify(answer.body.attributes)).toBe(
    JSON.stringify({
      enabled: true,
      nbf: 1,
      exp: 2524611661,
      created,
      updated: created,
      recoveryLevel: 'CustomizedRecoverable+Purgeable',
      recoverableDays: 7,
    }),
  );
  expect(updated).toBe(created);
  expect((await get()).text).toBe(answer.text);
  expect((await get(versionOf(answer))).text).toBe(answer.text);
});

test('the smallest secret has neither contentType nor tags', async () => {
  expect(Object.keys((await set({ value: '' })).body)).toEqual(['value', 'id', 'attributes']);
});

test('each set makes a version, the older ones stay', async () => {
  const first = await set({ value: 'one' });
  const second = await set({ value: 'two' });
  expect((await get()).body.value).toBe('two');
  expect((await get(versionOf(first))).body.value).toBe('one');
  expect(versionOf(second)).not.toBe(versionOf(first));
});

test('names are one in every case, ids keep the first', async () => {
  name = `Mixed-${name}`;
  await set();
  const again = await call('PUT', `/secrets/${name.toUpperCase()}`, { value: 'w' });
  expect(again.body.id).toContain(`/secrets/${name}/`);
  expect((await call('GET', `/secrets/${name.toLowerCase()}/`)).body.value).toBe('w');
});

test('update never shows the value and changes only what is there', async () => {
  const made = await set({ value: 'v', contentType: 'text/plain', tags: { a: 'b' } });
  vaults.clock.advance(3000);
  const answer = await update({ attributes: { enabled: false } });
  expect(Object.keys(answer.body)).toEqual(['contentType', 'id', 'attributes', 'tags']);
  expect(answer.body).toMatchObject({ contentType: 'text/plain', tags: { a: 'b' }, id: made.body.id });
  expect(answer.body.attributes?.created).toBe(made.body.attributes?.created);
  expect(answer.body.attributes?.updated).toBeGreaterThan(made.body.attributes?.updated ?? 0);
  const changed = await update({ contentType: 'x', tags: {}, value: 'ignored' }, versionOf(made));
  expect(changed.body).toMatchObject({ contentType: 'x', attributes: { enabled: false } });
  expect(changed.body).not.toHaveProperty('tags');
  await update({ attributes: { enabled: true } });
  expect((await get()).body.value).toBe('v');
});

test('a disabled secret can not be read, but updated, listed and deleted', async () => {
  await set({ value: 'v', attributes: { enabled: false } });
  const refused = await get();
  expect(refusalOf(refused)).toEqual([403, 'Forbidden', 'SecretDisabled']);
  expect((await update({ tags: { a: 'b' } })).status).toBe(200);
  expect((await call('GET', `/secrets/${name}/versions`)).body.value).toHaveLength(1);
  expect((await remove()).status).toBe(200);
});

test('nbf and exp only inform', async () => {
  await set({ value: 'v', attributes: { nbf: 4_000_000_000, exp: 1 } });
  expect((await get()).body.value).toBe('v');
});

test.each<[string, unknown]>([
  ['no body', undefined],
  ['no value', {}],
  ['a value that is no text', { value: 1 }],
  ['a value of 25,601 bytes', { value: 'v'.repeat(25_601) }],
  ['a value of 25,602 bytes in 12,801 characters', { value: 'é'.repeat(12_801) }],
  ['a contentType of 256 characters', { value: 'v', contentType: 'c'.repeat(256) }],
  ['16 tags', { value: 'v', tags: Object.fromEntries([...Array(16).keys()].map((n) => [n, ''])) }],
  ['a tag value of 513 characters', { value: 'v', tags: { a: 'b'.repeat(513) } }],
  ['a time that is no integer', { value: 'v', attributes: { exp: 'never' } }],
])('set refuses %s', async (_, body) => {
  expect(refusalOf(await put(body))).toEqual([400, 'BadParameter']);
  expect(refusalOf(await get())).toEqual(absent);
});

test.each<[string, object]>([
  ['25,600 bytes', { value: 'é'.repeat(12_800) }],
  ['a contentType of 255 characters', { value: 'v', contentType: 'c'.repeat(255) }],
  ['tags of 512 characters', { value: 'v', tags: { ['a'.repeat(512)]: 'b'.repeat(512) } }],
])('set takes %s', async (_, body) => {
  expect((await set(body)).status).toBe(200);
  expect((await get()).body).toMatchObject(body);
});

test.each([
  ['GET', '/secrets/under_score/', [400, 'BadParameter']],
  ['PUT', '/secrets/', [405, 'MethodNotAllowed']],
  ['GET', '/secrets/none/', absent],
  ['GET', '/secrets/none/0123456789abcdef0123456789abcdef', absent],
  ['PATCH', '/secrets/none/', absent],
  ['DELETE', '/secrets/none', absent],
  ['GET', '/deletedsecrets/none', absent],
  ['POST', '/deletedsecrets/none/recover', absent],
  ['DELETE', '/deletedsecrets/none', absent],
])('%s %s is refused as %j', async (method, path, refusal) => {
  const body = method === 'PATCH' ? {} : undefined;
  expect(refusalOf(await call(method, path, body))).toEqual(refusal);
});

test('a secret and a key may have the same name', async () => {
  await raw(uri, 'POST', `/keys/${name}/create?api-version=7.6`, { kty: 'EC' });
  expect((await set()).status).toBe(200);
  await remove();
  expect((await raw(uri, 'GET', `/keys/${name}?api-version=7.6`)).status).toBe(200);
});

test('lists have base ids, the newest version, no values; versions have their own ids', async () => {
  const quiet = vaults.addressOf('quiet').uri;
  const put = (path: string, body: object) => raw(quiet, 'PUT', `/secrets/${path}?api-version=2026-04-01`, body);
  for (let n = 0; n < 27; n++) await put(`n${String(n).padStart(2, '0')}`, { value: 'v', tags: { n: `${n}` } });
  await put('N00', { value: 'w', contentType: 'newest' });
  const first = await raw(quiet, 'GET', '/secrets?api-version=2026-04-01');
  const items = first.body.value as Record<string, unknown>[];
  expect(items).toHaveLength(25);
  expect(items[0]).toMatchObject({ id: `${quiet}/secrets/n00`, contentType: 'newest' });
  expect(Object.keys(items[1] ?? {})).toEqual(['id', 'attributes', 'tags']);
  const second = await raw(quiet, 'GET', first.body.nextLink?.slice(quiet.length) ?? '');
  expect((second.body.value as { id: string }[]).map(({ id }) => id)).toEqual(
    ['n25', 'n26'].map((n) => `${quiet}/secrets/${n}`),
  );
  const versions = await raw(quiet, 'GET', '/secrets/n00/versions?api-version=2026-04-01');
  expect(versions.body.value).toHaveLength(2);
  for (const item of versions.body.value as Record<string, unknown>[]) {
    expect(item.id).toMatch(/\/secrets\/n00\/[0-9a-f]{32}$/);
    expect(item).not.toHaveProperty('value');
  }
  const none = await raw(quiet, 'GET', '/secrets/none/versions?api-version=2026-04-01');
  expect(none.text).toBe('{"value":[],"nextLink":null}');
});

test('soft delete, with its lags and conflicts', async () => {
  const made = await set({ value: 'v', contentType: 'c', tags: { a: 'b' } });
  const deleted = await remove();
  const { value, ...withoutValue } = made.body;
  expect(value).toBe('v');
  expect(deleted.body).toMatchObject(withoutValue);
  expect(Object.keys(deleted.body)).toEqual([
    'recoveryId',
    'deletedDate',
    'scheduledPurgeDate',
    'contentType',
    'id',
    'attributes',
    'tags',
  ]);
  expect(refusalOf(await call('GET', `/deletedsecrets/${name}`))).toEqual(absent);
  expect(refusalOf(await set())).toEqual([409, 'Conflict', 'ObjectIsBeingDeleted']);
  vaults.clock.advance(lag);
  expect((await call('GET', `/deletedsecrets/${name}`)).text).toBe(deleted.text);
  expect(refusalOf(await set())).toEqual([409, 'Conflict', 'ObjectIsDeletedButRecoverable']);
  expect((await call('GET', '/deletedsecrets')).text).toContain(`${uri}/deletedsecrets/${name}"`);
  expect((await call('POST', `/deletedsecrets/${name}/recover`)).body).toEqual(withoutValue);
  expect(refusalOf(await set())).toEqual([409, 'Conflict', 'ObjectIsBeingRecovered']);
  vaults.clock.advance(lag);
  expect((await get()).text).toBe(made.text);
  await remove();
  vaults.clock.advance(lag);
  expect((await call('DELETE', `/deletedsecrets/${name}`)).status).toBe(204);
  expect(refusalOf(await set())).toEqual([409, 'Conflict', 'ObjectIsBeingDeleted']);
  vaults.clock.advance(lag);
  expect((await set()).status).toBe(200);
});
