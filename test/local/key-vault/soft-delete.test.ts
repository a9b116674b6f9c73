import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { adminAccess, keyClient, premiumVault, startVaults, tenantId } from './support/start.ts';
import { raw, refusalOf, versioned, type RawAnswer } from './support/raw.ts';

const lag = 60_000;
const day = 86_400_000;
let vaults: Awaited<ReturnType<typeof startVaults>>;
let uri: string;
let serial = 0;
const fresh = () => `key-${++serial}`;

beforeAll(async () => {
  vaults = await startVaults({
    vaults: [
      premiumVault,
      { name: 'full-vault', sku: 'standard', tenantId, access: adminAccess },
      { name: 'kept-vault', sku: 'standard', tenantId, access: adminAccess, purgeProtection: true },
      { ...premiumVault, name: 'kept-short', purgeProtection: true },
      { ...premiumVault, name: 'expiring' },
    ],
    deletionLagMilliseconds: lag,
    recoveryLagMilliseconds: lag,
  });
  ({ uri } = vaults.addressOf('premium-vault'));
});
afterAll(async () => vaults.stop());

const to = (address: string) => ({
  create: (name: string) => raw(address, 'POST', versioned(`/keys/${name}/create`), { kty: 'EC' }),
  importKey: (name: string) => raw(address, 'PUT', versioned(`/keys/${name}`), { key: { kty: 'EC' } }),
  get: (name: string) => raw(address, 'GET', versioned(`/keys/${name}`)),
  update: (name: string) => raw(address, 'PATCH', versioned(`/keys/${name}`), {}),
  versions: (name: string) => raw(address, 'GET', versioned(`/keys/${name}/versions`)),
  remove: (name: string) => raw(address, 'DELETE', versioned(`/keys/${name}`)),
  deleted: (name: string) => raw(address, 'GET', versioned(`/deletedkeys/${name}`)),
  recover: (name: string) => raw(address, 'POST', versioned(`/deletedkeys/${name}/recover`)),
  purge: (name: string) => raw(address, 'DELETE', versioned(`/deletedkeys/${name}`)),
});
type Calls = ReturnType<typeof to>;

const absent = [404, 'KeyNotFound'];
const beingDeleted = [409, 'Conflict', 'ObjectIsBeingDeleted'];
const beingRecovered = [409, 'Conflict', 'ObjectIsBeingRecovered'];
const recoverable = [409, 'Conflict', 'ObjectIsDeletedButRecoverable'];
const invalidJwk = [400, 'BadParameter'];
const done = [200, ''];

/** What brings a name into each state, and what every operation then answers. */
const states: [string, (calls: Calls, name: string) => Promise<unknown>, Partial<Record<keyof Calls, unknown[]>>][] = [
  [
    'a name never used',
    async () => undefined,
    {
      importKey: invalidJwk,
      get: absent,
      update: absent,
      versions: done,
      remove: absent,
      deleted: absent,
      recover: absent,
      purge: absent,
      create: done,
    },
  ],
  [
    'a live key',
    async ({ create }, name) => create(name),
    {
      importKey: invalidJwk,
      get: done,
      update: done,
      versions: done,
      deleted: absent,
      recover: absent,
      purge: absent,
      create: done,
      remove: done,
    },
  ],
  [
    'a key whose deletion is in progress',
    async ({ create, remove }, name) => [await create(name), await remove(name)],
    {
      importKey: beingDeleted,
      create: beingDeleted,
      get: absent,
      update: absent,
      versions: done,
      remove: absent,
      deleted: absent,
      recover: beingDeleted,
      purge: beingDeleted,
    },
  ],
  [
    'a deleted key',
    async ({ create, remove }, name) => [await create(name), await remove(name), vaults.clock.advance(lag)],
    {
      importKey: recoverable,
      create: recoverable,
      get: absent,
      update: absent,
      versions: done,
      remove: absent,
      deleted: done,
      recover: done,
    },
  ],
  [
    'a key whose recovery is in progress',
    async ({ create, remove, recover }, name) => [
      await create(name),
      await remove(name),
      vaults.clock.advance(lag),
      await recover(name),
    ],
    {
      importKey: beingRecovered,
      create: beingRecovered,
      get: absent,
      update: absent,
      versions: done,
      remove: beingRecovered,
      deleted: absent,
      recover: beingRecovered,
      purge: beingRecovered,
    },
  ],
  [
    'a recovered key',
    async ({ create, remove, recover }, name) => [
      await create(name),
      await remove(name),
      vaults.clock.advance(lag),
      await recover(name),
      vaults.clock.advance(lag),
    ],
    { get: done, update: done, deleted: absent, recover: absent, purge: absent, create: done, remove: done },
  ],
  [
    'a key just purged',
    async ({ create, remove, purge }, name) => [
      await create(name),
      await remove(name),
      vaults.clock.advance(lag),
      await purge(name),
    ],
    { get: absent, deleted: absent, recover: absent, purge: absent, remove: absent, create: beingDeleted },
  ],
  [
    'a key purged a while ago',
    async ({ create, remove, purge }, name) => [
      await create(name),
      await remove(name),
      vaults.clock.advance(lag),
      await purge(name),
      vaults.clock.advance(lag),
    ],
    { get: absent, deleted: absent, versions: done, create: done },
  ],
];

test.each(
  states.flatMap(([state, reach, answers]) =>
    Object.entries(answers).map(([operation, answer]) => ({
      state,
      reach,
      operation: operation as keyof Calls,
      answer,
    })),
  ),
)('$operation on $state is answered $answer', async ({ reach, operation, answer }) => {
  const name = fresh();
  const calls = to(uri);
  await reach(calls, name);
  const { status, body } = await calls[operation](name);
  expect(refusalOf({ status, body, headers: {}, text: '' })).toEqual(answer);
});

test('a delete answers what was there, with its deletion before it; the deleted key reads the same later', async () => {
  const calls = to(uri);
  const name = fresh();
  const { body: live } = await calls.create(name);
  const removed = await calls.remove(name);
  expect(Object.keys(removed.body)).toEqual(['recoveryId', 'deletedDate', 'scheduledPurgeDate', 'key', 'attributes']);
  expect(removed.body).toMatchObject({ ...live, recoveryId: `${uri}/deletedkeys/${name}` });
  expect((removed.body.scheduledPurgeDate ?? 0) - (removed.body.deletedDate ?? 0)).toBe(7 * 86400);
  vaults.clock.advance(lag);
  expect((await calls.deleted(name)).text).toBe(removed.text);
});

test('delete takes all versions, recover brings them all back', async () => {
  const calls = to(uri);
  const name = fresh();
  await calls.create(name);
  const newest = await calls.create(name);
  await calls.remove(name);
  expect((await calls.versions(name)).body).toEqual({ value: [], nextLink: null });
  vaults.clock.advance(lag);
  const recovered = await calls.recover(name);
  expect(recovered.text).toBe(newest.text);
  vaults.clock.advance(lag);
  expect((await calls.versions(name)).body.value).toHaveLength(2);
  expect((await calls.get(name)).text).toBe(newest.text);
});

test('a create that is still making its material when the key is deleted adds nothing to it', async () => {
  const calls = to(uri);
  const name = fresh();
  await calls.create(name);
  const creation = raw(uri, 'POST', versioned(`/keys/${name}/create`), { kty: 'RSA', key_size: 4096 });
  await calls.remove(name);
  expect(refusalOf(await creation)).toEqual(beingDeleted);
  vaults.clock.advance(lag);
  await calls.recover(name);
  vaults.clock.advance(lag);
  expect((await calls.versions(name)).body.value).toHaveLength(1);
});

test('purge answers 204 without a body, a length or a type', async () => {
  const calls = to(uri);
  const name = fresh();
  await calls.create(name);
  await calls.remove(name);
  vaults.clock.advance(lag);
  const purged = await calls.purge(name);
  expect([purged.status, purged.text]).toEqual([204, '']);
  expect(purged.headers).not.toHaveProperty('content-length');
  expect(purged.headers).not.toHaveProperty('content-type');
});

test.each([
  ['full-vault', 'Recoverable+Purgeable', 90],
  ['premium-vault', 'CustomizedRecoverable+Purgeable', 7],
  ['kept-vault', 'Recoverable', 90],
  ['kept-short', 'CustomizedRecoverable', 7],
])('%s has recovery level %s of %d days', async (vault, recoveryLevel, recoverableDays) => {
  const answer = await to(vaults.addressOf(vault).uri).create(fresh());
  expect(answer.body.attributes).toMatchObject({ recoveryLevel, recoverableDays });
});

test('purge protection refuses a purge', async () => {
  const calls = to(vaults.addressOf('kept-vault').uri);
  await calls.create('kept');
  await calls.remove('kept');
  vaults.clock.advance(lag);
  expect(refusalOf(await calls.purge('kept'))).toEqual([403, 'Forbidden']);
  expect((await calls.deleted('kept')).status).toBe(200);
});

test('what is deleted is gone when its retention ends', async () => {
  const address = vaults.addressOf('expiring').uri;
  const calls = to(address);
  const answers: RawAnswer[] = [];
  for (const name of ['first', 'second']) {
    await calls.create(name);
    answers.push(await calls.remove(name));
    vaults.clock.advance(day);
  }
  vaults.clock.advance(5 * day);
  expect(refusalOf(await calls.deleted('first'))).toEqual(absent);
  expect((await calls.deleted('second')).text).toBe(answers[1]?.text);
  const list = await raw(address, 'GET', versioned('/deletedkeys'));
  expect((list.body.value as { recoveryId: string }[]).map((item) => item.recoveryId)).toEqual([
    `${address}/deletedkeys/second`,
  ]);
  expect((await calls.create('first')).status).toBe(200);
});

test('a recovered key holds up the end of nobody else', async () => {
  const calls = to(vaults.addressOf('expiring').uri);
  await calls.create('returning');
  await calls.remove('returning');
  vaults.clock.advance(lag);
  await calls.recover('returning');
  await calls.create('staying-away');
  await calls.remove('staying-away');
  vaults.clock.advance(7 * day);
  expect((await calls.create('staying-away')).status).toBe(200);
  expect((await calls.get('returning')).status).toBe(200);
});

test.each([
  ['deletion', (calls: Calls) => calls.remove('it'), (calls: Calls) => calls.deleted('it'), 404],
  ['recovery', (calls: Calls) => calls.recover('it'), (calls: Calls) => calls.get('it'), 404],
  ['purge', (calls: Calls) => calls.purge('it'), (calls: Calls) => calls.create('it'), 409],
])('the %s of a key ends to the millisecond', async (kind, begin, look, early) => {
  let time = 1_800_000_000_000;
  const still = await startVaults({
    vaults: [{ ...premiumVault, name: 'still-vault' }],
    deletionLagMilliseconds: lag,
    recoveryLagMilliseconds: lag,
    now: () => new Date(time),
  });
  const calls = to(still.addressOf('still-vault').url);
  await calls.create('it');
  if (kind !== 'deletion') await calls.remove('it');
  time += lag;
  await begin(calls);
  time += lag - 1;
  expect((await look(calls)).status).toBe(early);
  time += 1;
  expect((await look(calls)).status).toBe(200);
  await still.stop();
});

test('the pollers of the SDK wait for deletion and recovery to end', async () => {
  const client = keyClient(uri);
  const name = fresh();
  await client.createKey(name, 'EC');
  const deletion = await client.beginDeleteKey(name, { intervalInMs: 20 });
  const deleted = deletion.pollUntilDone();
  await delay(60);
  expect(deletion.isDone()).toBe(false);
  vaults.clock.advance(lag);
  expect((await deleted).properties.recoveryId).toBe(`${uri}/deletedkeys/${name}`);
  const recovery = await client.beginRecoverDeletedKey(name, { intervalInMs: 20 });
  const recovered = recovery.pollUntilDone();
  await delay(60);
  expect(recovery.isDone()).toBe(false);
  vaults.clock.advance(lag);
  expect((await recovered).name).toBe(name);
  expect((await client.getKey(name)).name).toBe(name);
});
