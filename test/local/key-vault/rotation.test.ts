import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { keyClient, premiumVault, startVaults } from './support/start.ts';
import { raw, refusalOf, versioned, type RawAnswer } from './support/raw.ts';

const day = 86_400_000;
let vaults: Awaited<ReturnType<typeof startVaults>>;
let uri: string;
let name: string;
let serial = 0;

beforeAll(async () => {
  vaults = await startVaults({ vaults: [premiumVault], deletionLagMilliseconds: 0, recoveryLagMilliseconds: 0 });
  ({ uri } = vaults.addressOf('premium-vault'));
});
afterAll(async () => vaults.stop());
beforeEach(() => void (name = `key-${++serial}`));

const create = (body: object = {}) => raw(uri, 'POST', versioned(`/keys/${name}/create`), { kty: 'EC', ...body });
const rotate = () => raw(uri, 'POST', versioned(`/keys/${name}/rotate`));
const get = () => raw(uri, 'GET', versioned(`/keys/${name}`));
const setPolicy = (policy: object) => raw(uri, 'PUT', versioned(`/keys/${name}/rotationpolicy`), policy);
const getPolicy = () => raw(uri, 'GET', versioned(`/keys/${name}/rotationpolicy`));
const countVersions = async () =>
  ((await raw(uri, 'GET', versioned(`/keys/${name}/versions`))).body.value as unknown[]).length;
const createdOf = (answer: RawAnswer) => answer.body.attributes?.created ?? 0;
const every = (timeAfterCreate: string, expiryTime?: string) => ({
  lifetimeActions: [{ trigger: { timeAfterCreate }, action: { type: 'Rotate' } }],
  attributes: expiryTime === undefined ? {} : { expiryTime },
});

test('rotate makes a version like the newest, but for its material and times', async () => {
  const first = await create({
    kty: 'RSA-HSM',
    key_size: 3072,
    key_ops: ['sign', 'verify'],
    tags: { a: 'b' },
    attributes: { exp: 2524611661 },
  });
  const rotated = await rotate();
  expect(rotated.body.key).toMatchObject({ kty: 'RSA-HSM', key_ops: ['sign', 'verify'], e: 'AQAB' });
  expect(rotated.body.attributes?.key_size).toBe(3072);
  expect(rotated.body.tags).toEqual({ a: 'b' });
  expect(rotated.body.key?.n).not.toBe(first.body.key?.n);
  expect(rotated.body.key?.kid).not.toBe(first.body.key?.kid);
  expect(rotated.body.attributes).not.toHaveProperty('exp');
  expect((await get()).text).toBe(rotated.text);
  expect(await countVersions()).toBe(2);
});

test('rotate keeps the curve', async () => {
  await create({ crv: 'P-521' });
  expect((await keyClient(uri).rotateKey(name)).key?.crv).toBe('P-521');
});

test('a key without a policy of its own shows the default, which has no id and no attributes', async () => {
  await create();
  expect((await getPolicy()).text).toBe(
    '{"lifetimeActions":[{"trigger":{"timeBeforeExpiry":"P30D"},"action":{"type":"Notify"}}],"attributes":null}',
  );
  const seen = await keyClient(uri).getKeyRotationPolicy(name);
  expect(seen.lifetimeActions).toEqual([{ action: 'Notify', timeBeforeExpiry: 'P30D' }]);
});

test('a policy through the SDK is kept, a Notify action joins it, and rotate sets the expiry', async () => {
  await create();
  const client = keyClient(uri);
  const set = await client.updateKeyRotationPolicy(name, {
    expiresIn: 'P90D',
    lifetimeActions: [{ action: 'Rotate', timeAfterCreate: 'P30D' }],
  });
  expect(set.id).toBe(`${uri}/keys/${name}/rotationpolicy`);
  expect(set.createdOn).toBeInstanceOf(Date);
  const got = await client.getKeyRotationPolicy(name);
  expect(got).toMatchObject({
    expiresIn: 'P90D',
    lifetimeActions: [
      { action: 'Rotate', timeAfterCreate: 'P30D' },
      { action: 'Notify', timeBeforeExpiry: 'P30D' },
    ],
  });
  const rotated = await rotate();
  expect(rotated.body.attributes?.exp).toBe(createdOf(rotated) + 90 * 86400);
});

test('a change of the policy keeps its time of creation', async () => {
  await create();
  const first = await setPolicy(every('P30D'));
  vaults.clock.advance(5000);
  const second = await setPolicy(every('P40D'));
  expect(createdOf(second)).toBe(createdOf(first));
  expect(second.body.attributes?.updated).toBeGreaterThan(first.body.attributes?.updated ?? 0);
});

test.each<[string, object]>([
  ['an unknown action', { lifetimeActions: [{ trigger: { timeAfterCreate: 'P30D' }, action: { type: 'Fly' } }] }],
  ['a trigger that is none', { lifetimeActions: [{ trigger: {}, action: { type: 'Rotate' } }] }],
  [
    'two triggers',
    {
      lifetimeActions: [{ trigger: { timeAfterCreate: 'P30D', timeBeforeExpiry: 'P30D' }, action: { type: 'Rotate' } }],
    },
  ],
  ['a span that is none', every('30 days')],
  ['an empty span', every('P')],
  ['a rotation too soon', every('P6D')],
  ['an expiry too soon', { attributes: { expiryTime: 'P27D' } }],
  ['a rotation too close to the expiry', every('P84D', 'P90D')],
  [
    'a rotation before an expiry that is never',
    { lifetimeActions: [{ trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'Rotate' } }] },
  ],
  ['two rotations', { lifetimeActions: [...every('P30D').lifetimeActions, ...every('P40D').lifetimeActions] }],
])('a policy with %s is refused', async (_, policy) => {
  await create();
  expect(refusalOf(await setPolicy(policy))).toEqual([400, 'BadParameter']);
  expect((await getPolicy()).body.attributes).toBeNull();
});

test('a key that is not there has no policy and is not rotated', async () => {
  for (const answer of [await getPolicy(), await setPolicy(every('P30D')), await rotate()]) {
    expect(refusalOf(answer)).toEqual([404, 'KeyNotFound']);
  }
});

test('the clock rotates by time since creation: once per period, dated when it was due', async () => {
  const first = await create();
  await setPolicy(every('P30D', 'P90D'));
  vaults.clock.advance(29 * day);
  expect(await countVersions()).toBe(1);
  vaults.clock.advance(day + 5000);
  const second = await get();
  expect(await countVersions()).toBe(2);
  expect(createdOf(second)).toBe(createdOf(first) + 30 * 86400);
  expect(second.body.attributes?.exp).toBe(createdOf(second) + 90 * 86400);
  vaults.clock.advance(60 * day);
  expect(createdOf(await get())).toBe(createdOf(first) + 90 * 86400);
  expect(await countVersions()).toBe(4);
});

test('the clock rotates by time before expiry, for versions that expire', async () => {
  await create();
  await setPolicy({
    lifetimeActions: [{ trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'Rotate' } }],
    attributes: { expiryTime: 'P90D' },
  });
  vaults.clock.advance(100 * day);
  expect(await countVersions()).toBe(1);
  await rotate();
  vaults.clock.advance(60 * day + 5000);
  expect(await countVersions()).toBe(3);
});

test('several calls at once see one rotation', async () => {
  await create();
  await setPolicy(every('P30D'));
  vaults.clock.advance(31 * day);
  const kids = await Promise.all([get(), get(), get()].map(async (answer) => (await answer).body.key?.kid));
  expect(new Set(kids).size).toBe(1);
  expect(await countVersions()).toBe(2);
});

test('a deleted key is not rotated; once recovered it is', async () => {
  await create();
  await setPolicy(every('P7D'));
  vaults.clock.advance(5 * day);
  await raw(uri, 'DELETE', versioned(`/keys/${name}`));
  vaults.clock.advance(5 * day);
  const recovered = await raw(uri, 'POST', versioned(`/deletedkeys/${name}/recover`));
  vaults.clock.advance(1000);
  const { body } = await get();
  expect(body.key?.kid).not.toBe(recovered.body.key?.kid);
  expect(await countVersions()).toBe(2);
});

test('a policy ends with its key', async () => {
  await create();
  await setPolicy(every('P30D'));
  await raw(uri, 'DELETE', versioned(`/keys/${name}`));
  await raw(uri, 'DELETE', versioned(`/deletedkeys/${name}`));
  await create();
  expect((await getPolicy()).body.attributes).toBeNull();
  vaults.clock.advance(31 * day);
  expect(await countVersions()).toBe(1);
});

test('a month is a month of the calendar', async () => {
  await create();
  await setPolicy(every('P1M', 'P1Y'));
  const rotated = await rotate();
  const expected = new Date(createdOf(rotated) * 1000);
  expected.setUTCFullYear(expected.getUTCFullYear() + 1);
  expect(rotated.body.attributes?.exp).toBe(expected.getTime() / 1000);
});
