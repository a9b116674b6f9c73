import { beforeEach, describe, expect, test } from 'vitest';
import { refusalOfCall } from './support/raw.ts';
import { secretClient } from './support/secret-client.ts';
import { absent, quick, useSecretVaults, versionPattern as version, type SecretTest } from './support/secret-vaults.ts';
import { premiumVault } from './support/start.ts';

/* What the client for secrets sends, and what names, versions and limits there are. */

let vaults: SecretTest['vaults'];
let url: string;
let client: SecretTest['client'];
let sent: SecretTest['sent'];
let name: string;

const begin = useSecretVaults([
  { ...premiumVault, name: 'twin-vault' },
  { ...premiumVault, name: 'listed-vault' },
]);
beforeEach(() => {
  ({ vaults, url, client, sent, name } = begin());
});

const last = () => sent.at(-1);

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
