import { createPublicKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keymgmtAt, publicKeyPem, time, versionId, type Keymgmt } from '../support/keymgmt.ts';
import { startProviders, vaultNames, type Providers } from '../support/providers.ts';
import { eventually, providerFields, type Service } from '../support/service.ts';
import { seeNames, spki } from '../support/vault-contents.ts';

/*
 * Every row of the Key Management API, over real requests. The replies are compared whole: a field too many is drift to
 * Terraform, and a field too few breaks some client.
 */

const mount = 'team-a/prod/keys';
const nothingThere = { errors: [] };

let service: Service;
let keymgmt: Keymgmt;
let clientOf: Providers['clientOf'];
let seen: Providers['seen'];

beforeAll(async () => {
  ({ service, keymgmt, clientOf, seen } = await startProviders(mount));
});

afterAll(() => service.stop());

describe.each([
  ['rsa-2048', 2048],
  ['rsa-3072', 3072],
  ['rsa-4096', 4096],
])('a key of type %s', (type, bits) => {
  const name = `life-of-${type}`;
  const keyBody = (changes: object) => ({
    deletion_allowed: false,
    latest_version: 1,
    min_enabled_version: 1,
    name,
    type,
    versions: { 1: { creation_time: time, public_key: publicKeyPem } },
    ...changes,
  });
  const distributionBody = (changes: object) => ({
    distribution_time: time,
    name: expect.stringMatching(new RegExp(`^${name}-\\d{10}$`)) as string,
    protection: 'hsm',
    purpose: 'decrypt,encrypt',
    versions: { 1: versionId },
    ...changes,
  });

  test('is created, and reads as Vault has it', async () => {
    await keymgmt.done('POST', `key/${name}`, { type });
    expect(await keymgmt.read(`key/${name}`)).toEqual(keyBody({}));
    const { versions } = await keymgmt.key(name);
    const publicKey = createPublicKey(versions['1']?.public_key ?? '');
    expect(publicKey.asymmetricKeyDetails?.modulusLength).toBe(bits);
    expect(await keymgmt.list('key')).toContain(name);
  });

  test('is nowhere yet', async () => {
    expect(await keymgmt.list(`key/${name}/kms`)).toEqual(nothingThere);
    expect(await keymgmt.send('GET', `kms/premium/key/${name}`)).toMatchObject({ status: 404, body: nothingThere });
  });

  test('is distributed', async () => {
    await keymgmt.done('PUT', `kms/premium/key/${name}`, { purpose: ['encrypt', 'decrypt'] });
    expect(await keymgmt.read(`kms/premium/key/${name}`)).toEqual(distributionBody({}));
    expect(await keymgmt.list(`key/${name}/kms`)).toEqual(['premium']);
    expect(await keymgmt.list('kms/premium/key')).toContain(name);
    const { versions } = await keymgmt.key(name);
    const [version, ...others] = await seen(name);
    expect(others).toEqual([]);
    expect(version).toMatchObject({ number: 1, enabled: true, type: 'RSA-HSM', operations: ['decrypt', 'encrypt'] });
    expect(spki(version?.publicKey ?? '')).toBe(spki(versions['1']?.public_key ?? ''));
  });

  test('says in the tags of the vault whose it is', async () => {
    const { name: kmsName } = await keymgmt.distribution(`kms/premium/key/${name}`);
    expect((await seen(name))[0]?.tags).toMatchObject({ key_name: kmsName, 'keyfleet-version': '1' });
  });

  test.each([['null'], ['{}'], ['']])('is rotated with a body of %j', async (body) => {
    const before = await keymgmt.key(name);
    const distributed = await keymgmt.distribution(`kms/premium/key/${name}`);
    await keymgmt.done('POST', `key/${name}/rotate`, body);
    const after = await keymgmt.key(name);
    const latest = before.latest_version + 1;
    expect(after).toEqual({
      ...before,
      latest_version: latest,
      versions: { ...before.versions, [latest]: { creation_time: time, public_key: publicKeyPem } },
    });
    expect(await keymgmt.read(`kms/premium/key/${name}`)).toEqual({
      ...distributed,
      versions: { ...distributed.versions, [latest]: versionId },
    });
    const versions = await seen(name);
    expect(versions.map(({ publicKey }) => spki(publicKey))).toEqual(
      Object.values(after.versions).map(({ public_key: pem }) => spki(pem)),
    );
    expect(new Set(versions.map(({ publicKey }) => spki(publicKey))).size).toBe(latest);
  });

  test('is changed', async () => {
    await keymgmt.done('PUT', `key/${name}`, { min_enabled_version: '2', deletion_allowed: 'true' });
    const { versions } = await keymgmt.key(name);
    expect(await keymgmt.read(`key/${name}`)).toEqual(
      keyBody({ deletion_allowed: true, latest_version: 4, min_enabled_version: 2, versions }),
    );
    expect(Object.keys(versions)).toEqual(['2', '3', '4']);
  });

  test('is taken from the vault, where it can still be recovered', async () => {
    const { name: kmsName } = await keymgmt.distribution(`kms/premium/key/${name}`);
    await keymgmt.done('DELETE', `kms/premium/key/${name}`);
    expect((await keymgmt.send('GET', `kms/premium/key/${name}`)).status).toBe(404);
    expect(await keymgmt.list(`key/${name}/kms`)).toEqual(nothingThere);
    expect(await seeNames(clientOf('premium'))).not.toContain(kmsName);
    const deleted = await eventually('the deletion', () => clientOf('premium').getDeletedKey(kmsName));
    expect(deleted.properties.recoveryId).toContain(`/deletedkeys/${kmsName}`);
    expect(await keymgmt.key(name)).toMatchObject({ latest_version: 4 });
  });

  test('is deleted, and so is one that is gone', async () => {
    await keymgmt.done('DELETE', `key/${name}`);
    expect(await keymgmt.send('GET', `key/${name}`)).toMatchObject({ status: 404, body: nothingThere });
    await keymgmt.done('DELETE', `key/${name}`);
  });
});

describe('a provider', () => {
  test('reads as it was written, without credentials', async () => {
    expect(await keymgmt.read('kms/premium')).toEqual({
      key_collection: vaultNames.premium,
      provider: 'azurekeyvault',
    });
  });

  test('is listed', async () => {
    expect(await keymgmt.list('kms')).toEqual(['other', 'premium', 'standard']);
  });

  test('takes new credentials without its vault being named again', async () => {
    const { provider, credentials } = providerFields(vaultNames.premium);
    await keymgmt.done('PUT', 'kms/premium', { provider, credentials });
    expect(await keymgmt.read('kms/premium')).toEqual({
      key_collection: vaultNames.premium,
      provider: 'azurekeyvault',
    });
  });

  test('is deleted, and so is one that is gone', async () => {
    await keymgmt.done('PUT', 'kms/short-lived', providerFields(vaultNames.other));
    await keymgmt.done('DELETE', 'kms/short-lived');
    expect(await keymgmt.send('GET', 'kms/short-lived')).toMatchObject({ status: 404, body: nothingThere });
    await keymgmt.done('DELETE', 'kms/short-lived');
  });
});

describe('a key in several vaults', () => {
  test('is listed with all of them, and rotated in all of them', async () => {
    await keymgmt.done('POST', 'key/wide');
    await keymgmt.done('PUT', 'kms/premium/key/wide', { purpose: 'sign' });
    await keymgmt.done('PUT', 'kms/other/key/wide', { purpose: 'verify' });
    await keymgmt.done('PUT', 'kms/standard/key/wide', { purpose: 'encrypt', protection: 'software' });
    expect(await keymgmt.list('key/wide/kms')).toEqual(['other', 'premium', 'standard']);
    await keymgmt.done('POST', 'key/wide/rotate');
    const { versions } = await keymgmt.key('wide');
    const ours = Object.values(versions).map(({ public_key: pem }) => spki(pem));
    for (const provider of ['premium', 'other', 'standard'] as const) {
      const theirs = await seen('wide', provider);
      expect(theirs.map(({ publicKey }) => spki(publicKey))).toEqual(ours);
      expect(theirs.map(({ enabled }) => enabled)).toEqual([true, true]);
    }
  });

  test('leaves one of them alone', async () => {
    await keymgmt.done('DELETE', 'kms/standard/key/wide');
    expect(await keymgmt.list('key/wide/kms')).toEqual(['other', 'premium']);
    expect(await keymgmt.list('kms/standard/key')).not.toContain('wide');
    expect(await seen('wide', 'other')).toHaveLength(2);
  });

  test('comes back under another name', async () => {
    const first = await keymgmt.distribution('kms/other/key/wide');
    await keymgmt.done('DELETE', 'kms/other/key/wide');
    await keymgmt.done('PUT', 'kms/other/key/wide', { purpose: 'encrypt,sign' });
    const second = await keymgmt.distribution('kms/other/key/wide');
    expect(second.name).not.toBe(first.name);
    expect(Object.keys(second.versions)).toEqual(['1', '2']);
    expect(await seen('wide', 'other')).toMatchObject([
      { number: 1, operations: ['encrypt', 'sign'] },
      { number: 2, operations: ['encrypt', 'sign'] },
    ]);
    await eventually('the deletion', () => clientOf('other').getDeletedKey(first.name));
  });
});

test('a mount of its own has names of its own', async () => {
  await service.vault('POST', 'sys/mounts/team-a/test', { type: 'keymgmt' });
  const other = keymgmtAt(service, 'team-a/test');
  await other.done('POST', 'key/wide', { type: 'rsa-2048' });
  expect(await other.list('key')).toEqual(['wide']);
  expect(await other.key('wide')).toMatchObject({ latest_version: 1 });
  expect(await keymgmt.key('wide')).toMatchObject({ latest_version: 2 });
});
