import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { refusalOfCall } from './support/raw.ts';
import { secretClient, type SentRequest } from './support/secret-client.ts';
import { adminAccess, premiumVault, principals, startVaults, tenantId, type PrincipalName } from './support/start.ts';

/** What the service does in seconds. */
const lag = 150;
const quick = { intervalInMs: 20 };
const version = /^[0-9a-f]{32}$/;

let vaults: Awaited<ReturnType<typeof startVaults>>;
let url: string;
let client: ReturnType<typeof secretClient>['client'];
let sent: SentRequest[];
let name: string;
let serial = 0;

beforeAll(async () => {
  const { objectId } = principals.custom;
  vaults = await startVaults({
    vaults: [
      premiumVault,
      { ...premiumVault, name: 'twin-vault' },
      { ...premiumVault, name: 'listed-vault' },
      { name: 'kept-vault', sku: 'standard', tenantId, purgeProtection: true, access: adminAccess },
      {
        ...premiumVault,
        name: 'policy-vault',
        access: { model: 'access-policy', grants: { [objectId]: { secrets: ['get', 'delete'] } } },
      },
      {
        ...premiumVault,
        name: 'roles-vault',
        access: {
          model: 'rbac',
          grants: {
            [principals.admin.objectId]: { roles: ['b86a8fe4-44ce-4948-aee5-eccb2c155cd7'] },
            [principals.reader.objectId]: { roles: ['21090545-7ca7-4776-b22c-e363652d74d2'] },
            [principals.cryptoUser.objectId]: { roles: ['4633458b-17de-408a-b874-0445c86b69e6'] },
            [objectId]: { dataActions: ['Microsoft.KeyVault/vaults/secrets/setSecret/action'] },
          },
        },
      },
    ],
    deletionLagMilliseconds: lag,
    recoveryLagMilliseconds: lag,
  });
  ({ uri: url } = vaults.addressOf('premium-vault'));
});
afterAll(() => vaults.stop());
beforeEach(() => {
  ({ client, sent } = secretClient(url));
  name = `secret-${++serial}`;
});

/** Of another vault. */
const clientOf = (vault: string, token?: PrincipalName) => secretClient(vaults.addressOf(vault).uri, token).client;
const last = () => sent.at(-1);
const absent = [404, 'SecretNotFound'];
const settled = () => delay(lag + 20);

describe('operations, as they go over the wire', () => {
  test('set: PUT with value, contentType, attributes and tags; the answer has the value and a new version', async () => {
    const notBefore = new Date('2031-01-01T00:00:00Z');
    const secret = await client.setSecret(name, 'v', {
      contentType: 'text/plain',
      notBefore,
      enabled: true,
      tags: { a: 'b' },
    });
    expect(sent.map(({ method, status, body }) => [method, status, body === undefined])).toEqual([
      ['PUT', 401, true],
      ['PUT', 200, false],
    ]);
    expect(last()?.target).toBe(`/secrets/${name}?api-version=2026-04-01`);
    expect(last()?.body).toMatchObject({ value: 'v', contentType: 'text/plain', tags: { a: 'b' } });
    expect(last()?.body).toHaveProperty('attributes.nbf', notBefore.getTime() / 1000);
    expect(secret).toMatchObject({
      name,
      value: 'v',
      properties: {
        id: `${url}/secrets/${name}/${secret.properties.version}`,
        vaultUrl: url,
        contentType: 'text/plain',
        enabled: true,
        notBefore,
        expiresOn: undefined,
        tags: { a: 'b' },
        recoveryLevel: 'CustomizedRecoverable+Purgeable',
        recoverableDays: 7,
      },
    });
    expect(secret.properties.version).toMatch(version);
    expect(secret.properties.createdOn).toEqual(secret.properties.updatedOn);
    expect((secret.properties.createdOn?.getTime() ?? 1) % 1000).toBe(0);
  });

  test('get: GET of a version, or with a slash behind the name of the newest', async () => {
    const first = await client.setSecret(name, 'one');
    await client.setSecret(name, 'two');
    expect((await client.getSecret(name)).value).toBe('two');
    expect(last()).toMatchObject({ method: 'GET', target: `/secrets/${name}/?api-version=2026-04-01` });
    const old = await client.getSecret(name, { version: first.properties.version ?? '' });
    expect(old).toEqual(first);
    expect(last()?.target).toBe(`/secrets/${name}/${first.properties.version}?api-version=2026-04-01`);
  });

  test('update: PATCH of a version; the answer has no value', async () => {
    const { properties } = await client.setSecret(name, 'v', { tags: { a: 'b' } });
    const updated = await client.updateSecretProperties(name, properties.version ?? '', {
      contentType: 'x',
      enabled: false,
    });
    expect(last()).toMatchObject({
      method: 'PATCH',
      target: `/secrets/${name}/${properties.version}?api-version=2026-04-01`,
    });
    expect(updated).toMatchObject({ contentType: 'x', enabled: false, version: properties.version, tags: { a: 'b' } });
    expect(updated).not.toHaveProperty('value');
  });

  test('lists: GET of the collection, and of the versions of a name', async () => {
    const { client: listing, sent } = secretClient(vaults.addressOf('listed-vault').uri);
    for (const listed of ['b', 'A', 'c'])
      await listing.setSecret(listed, 'v', { contentType: `of ${listed}`, tags: { a: 'b' } });
    const { properties } = await listing.setSecret('b', 'newest', { contentType: 'newest' });
    const items = await Array.fromAsync(listing.listPropertiesOfSecrets());
    expect(items.map(({ name, contentType }) => [name, contentType])).toEqual([
      ['A', 'of A'],
      ['b', 'newest'],
      ['c', 'of c'],
    ]);
    expect(items[1]).toMatchObject({ version: undefined, tags: undefined });
    expect(items[0]?.tags).toEqual({ a: 'b' });
    expect(sent.at(-1)).toMatchObject({ method: 'GET', target: '/secrets?api-version=2026-04-01' });
    const versions = await Array.fromAsync(listing.listPropertiesOfSecretVersions('b'));
    expect(versions).toHaveLength(2);
    expect(versions.map((item) => item.version)).toContain(properties.version);
    expect(sent.at(-1)).toMatchObject({ method: 'GET', target: '/secrets/b/versions?api-version=2026-04-01' });
    expect(await Array.fromAsync(listing.listPropertiesOfSecretVersions('nothing'))).toEqual([]);
  });

  test('delete: DELETE of the name; the poller ends when the deleted secret is there, without its value', async () => {
    const { properties } = await client.setSecret(name, 'v', { contentType: 'c' });
    const poller = await client.beginDeleteSecret(name, quick);
    const deleting = sent.filter(({ status }) => status !== 401);
    expect(deleting.slice(1).map(({ method, target, status }) => [method, target.split('?')[0], status])).toEqual([
      ['DELETE', `/secrets/${name}`, 200],
      ['GET', `/deletedsecrets/${name}`, 404],
    ]);
    const deleted = await poller.pollUntilDone();
    expect(deleted).toMatchObject({
      name,
      recoveryId: `${url}/deletedsecrets/${name}`,
      properties: { contentType: 'c', version: properties.version },
    });
    const { deletedOn, scheduledPurgeDate } = deleted.properties;
    expect(Number(scheduledPurgeDate) - Number(deletedOn)).toBe(7 * 86_400_000);
    expect(deleted.value).toBeUndefined();
    expect(last()).toMatchObject({ method: 'GET', status: 200 });
  });

  test('deleted secrets: GET of one and of all, with their deletion', async () => {
    await client.setSecret(name, 'v');
    await (await client.beginDeleteSecret(name, quick)).pollUntilDone();
    const deleted = await client.getDeletedSecret(name);
    expect(last()?.target).toBe(`/deletedsecrets/${name}?api-version=2026-04-01`);
    const all = await Array.fromAsync(client.listDeletedSecrets());
    expect(last()?.target).toBe('/deletedsecrets?api-version=2026-04-01');
    expect(all.find((item) => item.name === name)).toMatchObject({
      recoveryId: deleted.recoveryId,
      properties: {
        deletedOn: deleted.properties.deletedOn,
        scheduledPurgeDate: deleted.properties.scheduledPurgeDate,
      },
    });
  });

  test('recover: POST; the poller ends when the secret is there again, with all versions', async () => {
    await client.setSecret(name, 'one');
    await client.setSecret(name, 'two');
    await (await client.beginDeleteSecret(name, quick)).pollUntilDone();
    sent.length = 0;
    const recovered = await (await client.beginRecoverDeletedSecret(name, quick)).pollUntilDone();
    expect(sent.slice(0, 2).map(({ method, target, status }) => [method, target.split('?')[0], status])).toEqual([
      ['GET', `/secrets/${name}/`, 404],
      ['POST', `/deletedsecrets/${name}/recover`, 200],
    ]);
    expect(recovered).toMatchObject({ name });
    expect(recovered).not.toHaveProperty('value');
    expect((await client.getSecret(name)).value).toBe('two');
    expect(await Array.fromAsync(client.listPropertiesOfSecretVersions(name))).toHaveLength(2);
  });

  test('purge: DELETE of the deleted secret, 204', async () => {
    await client.setSecret(name, 'v');
    await (await client.beginDeleteSecret(name, quick)).pollUntilDone();
    await client.purgeDeletedSecret(name);
    expect(last()).toMatchObject({
      method: 'DELETE',
      status: 204,
      target: `/deletedsecrets/${name}?api-version=2026-04-01`,
    });
    expect(await refusalOfCall(client.getDeletedSecret(name))).toEqual(absent);
  });

  test('backup and restore: POST, the value as bytes; names and version ids come back, the value is not shown', async () => {
    const first = await client.setSecret(name, 'one', { tags: { a: 'b' } });
    const second = await client.setSecret(name, 'two');
    const backup = await client.backupSecret(name);
    expect(last()).toMatchObject({
      method: 'POST',
      target: `/secrets/${name}/backup?api-version=2026-04-01`,
      body: undefined,
    });
    const twin = secretClient(vaults.addressOf('twin-vault').uri);
    const restored = await twin.client.restoreSecretBackup(backup ?? new Uint8Array());
    expect(twin.sent.at(-1)).toMatchObject({ method: 'POST', target: '/secrets/restore?api-version=2026-04-01' });
    expect(restored).toMatchObject({ name, version: second.properties.version });
    expect(restored).not.toHaveProperty('value');
    const old = await twin.client.getSecret(name, { version: first.properties.version ?? '' });
    expect([old.value, old.properties.tags]).toEqual(['one', { a: 'b' }]);
  });
});

describe('names and limits', () => {
  test('names are one in every case; ids keep the case of the first', async () => {
    await client.setSecret(`Mixed-${name}`, 'v');
    const again = await client.setSecret(`MIXED-${name}`, 'w');
    expect(again.properties.id).toContain(`/secrets/Mixed-${name}/`);
    expect((await client.getSecret(`mixed-${name}`)).value).toBe('w');
  });

  test.each(['under_score', 'dot.ted', 'n'.repeat(128)])('%s is no name', async (bad) => {
    expect(await refusalOfCall(client.setSecret(bad, 'v'))).toEqual([400, 'BadParameter']);
    await expect(client.getSecret(bad)).rejects.toThrow(bad);
  });

  test('127 letters, digits and hyphens are a name', async () => {
    const longest = `${name}-`.padEnd(127, 'A1-');
    expect((await client.setSecret(longest, 'v')).name).toBe(longest);
  });

  test('versions are 32 hex digits, new with every set and kept by an update', async () => {
    const set = async () => (await client.setSecret(name, 'v')).properties.version ?? '';
    const versions = [await set(), await set()];
    for (const one of versions) expect(one).toMatch(version);
    expect(versions[0]).not.toBe(versions[1]);
    expect((await client.updateSecretProperties(name, versions[0] ?? '', {})).version).toBe(versions[0]);
  });

  test('a page has 25 items, or as many as were asked for, up to 25', async () => {
    for (let count = 0; count < 27; count++) await client.setSecret(name, `${count}`);
    const sizes = async (settings: object) =>
      (await Array.fromAsync(client.listPropertiesOfSecretVersions(name).byPage(settings))).map(({ length }) => length);
    expect(await sizes({})).toEqual([25, 2]);
    sent.length = 0;
    expect(await sizes({ maxPageSize: 10 })).toEqual([10, 10, 7]);
    expect(sent[0]?.target).toContain('maxresults=10');
    expect(await refusalOfCall(sizes({ maxPageSize: 26 }))).toEqual([400, 'BadParameter']);
  });

  test.each<[string, string, object]>([
    ['a value of 25,601 bytes', 'v'.repeat(25_601), {}],
    ['a contentType of 256 characters', 'v', { contentType: 'c'.repeat(256) }],
    ['16 tags', 'v', { tags: Object.fromEntries([...Array(16).keys()].map((n) => [n, ''])) }],
    ['a tag of 513 characters', 'v', { tags: { a: 'b'.repeat(513) } }],
  ])('%s is too much', async (_what, value, options) => {
    expect(await refusalOfCall(client.setSecret(name, value, options))).toEqual([400, 'BadParameter']);
    expect(await refusalOfCall(client.getSecret(name))).toEqual(absent);
  });

  test.each<[string, string, object]>([
    ['a value of 25,600 bytes', 'v'.repeat(25_600), {}],
    ['a contentType of 255 characters', 'v', { contentType: 'c'.repeat(255) }],
    ['15 tags', 'v', { tags: Object.fromEntries([...Array(15).keys()].map((n) => [n, ''])) }],
    ['a tag of 512 characters', 'v', { tags: { a: 'b'.repeat(512) } }],
  ])('%s is not', async (_what, value, options) => {
    await client.setSecret(name, value, options);
    expect(await client.getSecret(name)).toMatchObject({ value, properties: options });
  });

  test('a date after 2038 goes out negative, and is kept as it came', async () => {
    const { properties } = await client.setSecret(name, 'v', { expiresOn: new Date('2040-01-01T00:00:00Z') });
    expect(last()?.body).toHaveProperty('attributes.exp', -2_085_978_496);
    expect(properties.expiresOn).toEqual(new Date(-2_085_978_496_000));
  });
});

describe('soft delete', () => {
  const del = () => client.beginDeleteSecret(name, quick);

  test('a deletion in progress hides the secret from everybody and keeps its name', async () => {
    await client.setSecret(name, 'v');
    await del();
    expect(await refusalOfCall(client.getSecret(name))).toEqual(absent);
    expect(await refusalOfCall(client.getDeletedSecret(name))).toEqual(absent);
    expect(await refusalOfCall(client.setSecret(name, 'w'))).toEqual([409, 'Conflict', 'ObjectIsBeingDeleted']);
    expect(await refusalOfCall(client.purgeDeletedSecret(name))).toEqual([409, 'Conflict', 'ObjectIsBeingDeleted']);
    expect(await refusalOfCall(del())).toEqual(absent);
    await settled();
    expect(await refusalOfCall(client.setSecret(name, 'w'))).toEqual([
      409,
      'Conflict',
      'ObjectIsDeletedButRecoverable',
    ]);
    expect(await refusalOfCall(del())).toEqual(absent);
  });

  test('a recovery in progress refuses sets and deletes', async () => {
    await client.setSecret(name, 'v');
    await (await del()).pollUntilDone();
    const recovering = await client.beginRecoverDeletedSecret(name, quick);
    const beingRecovered = [409, 'Conflict', 'ObjectIsBeingRecovered'];
    expect(await refusalOfCall(client.setSecret(name, 'w'))).toEqual(beingRecovered);
    expect(await refusalOfCall(del())).toEqual(beingRecovered);
    await recovering.pollUntilDone();
    expect((await client.setSecret(name, 'w')).value).toBe('w');
  });

  test('a restore is refused without inner code until the name is free', async () => {
    await client.setSecret(name, 'v');
    const backup = (await client.backupSecret(name)) ?? new Uint8Array();
    const restore = () => client.restoreSecretBackup(backup);
    expect(await refusalOfCall(restore())).toEqual([409, 'Conflict']);
    await (await del()).pollUntilDone();
    expect(await refusalOfCall(restore())).toEqual([409, 'Conflict']);
    await client.purgeDeletedSecret(name);
    expect(await refusalOfCall(restore())).toEqual([409, 'Conflict']);
    await settled();
    expect((await restore()).name).toBe(name);
  });

  test('purge protection refuses a purge, and shows in the recovery level', async () => {
    const kept = clientOf('kept-vault');
    const { properties } = await kept.setSecret(name, 'v');
    expect([properties.recoveryLevel, properties.recoverableDays]).toEqual(['Recoverable', 90]);
    await (await kept.beginDeleteSecret(name, quick)).pollUntilDone();
    expect(await refusalOfCall(kept.purgeDeletedSecret(name))).toEqual([403, 'Forbidden']);
  });

  test('what is not there can not be read, updated, deleted, recovered, purged or backed up', async () => {
    const calls = [
      client.getSecret(name),
      client.updateSecretProperties(name, '0123456789abcdef0123456789abcdef', {}),
      client.beginDeleteSecret(name),
      client.getDeletedSecret(name),
      client.purgeDeletedSecret(name),
      client.backupSecret(name),
    ];
    for (const refusal of await Promise.all(calls.map(refusalOfCall))) expect(refusal).toEqual(absent);
    await expect(client.beginRecoverDeletedSecret(name)).rejects.toMatchObject({ code: 'SecretNotFound' });
  });
});

describe('enabled, nbf and exp', () => {
  test('a disabled secret is not shown, but updated, listed and deleted', async () => {
    const { properties } = await client.setSecret(name, 'v', { enabled: false });
    expect(await refusalOfCall(client.getSecret(name))).toEqual([403, 'Forbidden', 'SecretDisabled']);
    expect((await client.updateSecretProperties(name, properties.version ?? '', { tags: { a: 'b' } })).enabled).toBe(
      false,
    );
    expect(await Array.fromAsync(client.listPropertiesOfSecretVersions(name))).toMatchObject([{ enabled: false }]);
    await (await client.beginDeleteSecret(name, quick)).pollUntilDone();
  });

  test('nbf and exp only inform', async () => {
    const times = { notBefore: new Date('2037-01-01T00:00:00Z'), expiresOn: new Date('2001-01-01T00:00:00Z') };
    await client.setSecret(name, 'v', times);
    expect(await client.getSecret(name)).toMatchObject({ value: 'v', properties: times });
  });

  test('an update moves updated alone, keeps what is absent, replaces tags as a whole; none clear them', async () => {
    const made = await client.setSecret(name, 'v', { contentType: 'c', tags: { a: '1', b: '2' } });
    const update = (options: object) => client.updateSecretProperties(name, made.properties.version ?? '', options);
    vaults.clock.advance(2000);
    const changed = await update({ tags: { c: '3' } });
    expect(changed).toMatchObject({ contentType: 'c', tags: { c: '3' }, createdOn: made.properties.createdOn });
    expect(Number(changed.updatedOn)).toBeGreaterThan(Number(made.properties.updatedOn));
    expect((await update({ contentType: 'd' })).tags).toEqual({ c: '3' });
    expect((await update({ tags: {} })).tags).toBeUndefined();
  });
});

describe('permissions', () => {
  test('words of an access policy', async () => {
    const admitted = clientOf('policy-vault', 'custom');
    const forbidden = [403, 'Forbidden', 'ForbiddenByPolicy'];
    expect(await refusalOfCall(admitted.setSecret(name, 'v'))).toEqual(forbidden);
    expect(await refusalOfCall(admitted.getSecret(name))).toEqual(absent);
    expect(await refusalOfCall(admitted.getDeletedSecret(name))).toEqual(absent);
    expect(await refusalOfCall(admitted.purgeDeletedSecret(name))).toEqual(forbidden);
    expect(await refusalOfCall(clientOf('policy-vault', 'nobody').getSecret(name))).toEqual(forbidden);
  });

  test('roles: officers do everything, users read, readers see no value, custom roles what they list', async () => {
    const forbidden = [403, 'Forbidden', 'ForbiddenByRbac'];
    const { properties } = await clientOf('roles-vault', 'custom').setSecret(name, 'v');
    const update = (who: PrincipalName) =>
      clientOf('roles-vault', who).updateSecretProperties(name, properties.version ?? '', {});
    expect(await refusalOfCall(clientOf('roles-vault', 'custom').getSecret(name))).toEqual(forbidden);
    expect(await refusalOfCall(update('custom'))).toEqual(forbidden);
    expect((await clientOf('roles-vault', 'cryptoUser').getSecret(name)).value).toBe('v');
    expect(await refusalOfCall(clientOf('roles-vault', 'cryptoUser').setSecret(name, 'w'))).toEqual(forbidden);
    expect(await Array.fromAsync(clientOf('roles-vault', 'reader').listPropertiesOfSecretVersions(name))).toHaveLength(
      1,
    );
    expect(await refusalOfCall(clientOf('roles-vault', 'reader').getSecret(name))).toEqual(forbidden);
    await update('admin');
    await clientOf('roles-vault').beginDeleteSecret(name);
  });

  test('while a list is iterated, a refusal keeps its status and code and loses the inner code', async () => {
    const listing = Array.fromAsync(clientOf('roles-vault', 'custom').listPropertiesOfSecrets());
    expect(await refusalOfCall(listing)).toEqual([403, 'Forbidden']);
  });
});
