import nodeVault from 'node-vault';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { providerCredentials, keyClient, startService, type Service } from '../support/service.ts';
import { versionId } from '../support/keymgmt.ts';
import { seeNames, seeVersions, spki } from '../support/vault-contents.ts';

/*
 * What somebody does who follows Vault's tutorial of the Key Management engine with Azure Key Vault, with a client of
 * theirs instead of the command line. The tests build on each other.
 */

interface Envelope<Data> {
  data: Data;
  warnings: string[] | null;
}
type Versions = Record<string, { creation_time: string; public_key: string }>;
type Key = { name: string; type: string; latest_version: number; versions: Versions };
type Distribution = { name: string; purpose: string; protection: string; versions: Record<string, string> };

const vaultName = 'learn-keyvault-52246b';
const keys = ['rsa-1', 'rsa-2'];
let service: Service;
let vault: nodeVault.client;

beforeAll(async () => {
  service = await startService({ platform: { vaults: [{ name: vaultName, sku: 'premium' }], rootToken: 'root' } });
  vault = nodeVault({ endpoint: service.host.url, token: 'root' });
});

afterAll(() => service.stop());

const data = async <Data>(reading: Promise<unknown>) => ((await reading) as Envelope<Data>).data;
const readKey = (name: string) => data<Key>(vault.read(`keymgmt/key/${name}`));
const readDistribution = (name: string) => data<Distribution>(vault.read(`keymgmt/kms/keyvault/key/${name}`));
const listed = async (path: string) => (await data<{ keys: string[] }>(vault.list(path))).keys;
const seen = async (name: string) =>
  seeVersions(keyClient(service.platform, vaultName), (await readDistribution(name)).name);
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => Promise.reject(new Error('it was not refused')),
    (error: unknown) => error as Error & { response: { statusCode: number; body: unknown } },
  );

describe('before anything else', () => {
  test('the service is up and open', async () => {
    expect(await vault.status()).toMatchObject({ initialized: true, sealed: false, version: '2.0.0+ent' });
    expect(await vault.health()).toMatchObject({ initialized: true, sealed: false, standby: false });
    expect(await vault.initialized()).toEqual({ initialized: true });
  });

  test('the root token knows itself', async () => {
    const token = await data<Record<string, unknown>>(vault.tokenLookupSelf());
    expect(token).toMatchObject({ id: 'root', policies: ['root'], display_name: 'root', ttl: 0, expire_time: null });
  });

  test('another token is nobody', async () => {
    const stranger = nodeVault({ endpoint: service.host.url, token: 'hvs.stranger' });
    const error = await refusal(stranger.mounts());
    expect(error.response.statusCode).toBe(403);
    expect(error.message).toContain('invalid token');
  });
});

test('enables the engine', async () => {
  await vault.mount({ mount_point: 'keymgmt', type: 'keymgmt', description: 'Keys of the tutorial' });
  const mounts = await data<Record<string, unknown>>(vault.mounts());
  expect(mounts['keymgmt/']).toMatchObject({ type: 'keymgmt', description: 'Keys of the tutorial' });
});

test('has nothing in it yet, which is a 404', async () => {
  for (const path of ['keymgmt/key', 'keymgmt/kms']) {
    expect((await refusal(vault.list(path))).response).toMatchObject({ statusCode: 404, body: { errors: [] } });
  }
});

test('writes a pair of RSA-2048 keys', async () => {
  await Promise.all(keys.map((name) => vault.write(`keymgmt/key/${name}`, { type: 'rsa-2048' })));
  expect(await listed('keymgmt/key')).toEqual(keys);
});

test.each(keys)('reads %s', async (name) => {
  const key = await readKey(name);
  expect(key).toMatchObject({ name, type: 'rsa-2048', latest_version: 1 });
  expect(Object.keys(key.versions)).toEqual(['1']);
  expect(key.versions['1']?.public_key).toMatch(/^-----BEGIN PUBLIC KEY-----\n[^]+\n-----END PUBLIC KEY-----\n$/);
});

test('creates the KMS provider, and never says its credentials', async () => {
  await vault.write('keymgmt/kms/keyvault', {
    key_collection: vaultName,
    provider: 'azurekeyvault',
    credentials: Object.entries(providerCredentials()).map(([name, value]) => `${name}=${value}`),
  });
  expect(await data(vault.read('keymgmt/kms/keyvault'))).toEqual({
    key_collection: vaultName,
    provider: 'azurekeyvault',
  });
  expect(await listed('keymgmt/kms')).toEqual(['keyvault']);
});

test('distributes the first key to encrypt and decrypt', async () => {
  await vault.write('keymgmt/kms/keyvault/key/rsa-1', { purpose: 'encrypt,decrypt', protection: 'hsm' });
  const [version] = await seen('rsa-1');
  expect(version).toMatchObject({ type: 'RSA-HSM', operations: ['decrypt', 'encrypt'], enabled: true, number: 1 });
});

test('distributes the second key to sign', async () => {
  await vault.write('keymgmt/kms/keyvault/key/rsa-2', { purpose: 'sign', protection: 'hsm' });
  const [version] = await seen('rsa-2');
  expect(version).toMatchObject({ type: 'RSA-HSM', operations: ['sign'], enabled: true, number: 1 });
});

test('lists what is distributed', async () => {
  expect(await listed('keymgmt/kms/keyvault/key')).toEqual(keys);
  expect(await listed('keymgmt/key/rsa-1/kms')).toEqual(['keyvault']);
});

test.each(keys)('has the public key of %s in the vault', async (name) => {
  const { versions } = await readKey(name);
  expect((await seen(name)).map(({ publicKey }) => spki(publicKey))).toEqual([spki(versions['1']?.public_key ?? '')]);
});

test('rotates, with a write that has no data', async () => {
  const before = await readDistribution('rsa-1');
  await vault.write('keymgmt/key/rsa-1/rotate', undefined);
  const { latest_version: latest, versions } = await readKey('rsa-1');
  expect(latest).toBe(2);
  const after = await readDistribution('rsa-1');
  expect(after).toEqual({ ...before, versions: { ...before.versions, 2: versionId } });
  const [first, second] = await seen('rsa-1');
  expect([first?.id, second?.id]).toEqual([after.versions['1'], after.versions['2']]);
  expect(spki(second?.publicKey ?? '')).toBe(spki(versions['2']?.public_key ?? ''));
});

test('has the new version as the current one in the vault', async () => {
  const { name, versions } = await readDistribution('rsa-1');
  const current = await keyClient(service.platform, vaultName).getKey(name);
  expect(current.properties.version).toBe(versions['2']);
});

test('will not disable an engine that has keys', async () => {
  const error = await refusal(vault.unmount({ mount_point: 'keymgmt' }));
  expect(error.response.statusCode).toBe(400);
  expect(error.message).toContain('rsa-1');
});

test('takes everything back, and the engine is gone', async () => {
  for (const name of keys) await vault.delete(`keymgmt/kms/keyvault/key/${name}`);
  expect(await seeNames(keyClient(service.platform, vaultName))).toEqual([
    expect.stringMatching(/^keyfleet-kek-\d+-[0-9a-f]{8}$/),
  ]);
  await vault.delete('keymgmt/kms/keyvault');
  for (const name of keys) {
    await vault.write(`keymgmt/key/${name}`, { deletion_allowed: true });
    await vault.delete(`keymgmt/key/${name}`);
  }
  await vault.unmount({ mount_point: 'keymgmt' });
  expect(await data<object>(vault.mounts())).not.toHaveProperty('keymgmt/');
  const error = await refusal(vault.read('keymgmt/key/rsa-1'));
  expect(error.response.statusCode).toBe(404);
  expect(error.message).toContain('no handler for route');
});
