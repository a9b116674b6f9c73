import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keymgmtAt, versionId, type Keymgmt } from '../support/keymgmt.ts';
import { keyClient, providerFields, startService, type Service } from '../support/service.ts';
import { seeNames, seeVersions, spki } from '../support/vault-contents.ts';

/*
 * Several mounts and several providers may stand for one vault, and everybody has a key called "signing". Whatever is
 * distributed within the same second, each has a key of its own there.
 */

const vaultName = 'shared-keyvault';
let service: Service;
let mounts: Keymgmt[];

beforeAll(async () => {
  service = await startService({
    platform: { vaults: [{ name: vaultName, sku: 'premium' }] },
    settings: { KEYFLEET_WAIT_SECONDS: '30' },
  });
  mounts = await Promise.all(
    ['team-a', 'team-b', 'team-c'].map(async (mount) => {
      await service.vault('POST', `sys/mounts/${mount}`, { type: 'keymgmt' });
      const keymgmt = keymgmtAt(service, mount);
      await Promise.all(['left', 'right'].map((name) => keymgmt.done('PUT', `kms/${name}`, providerFields(vaultName))));
      await keymgmt.done('POST', 'key/signing');
      return keymgmt;
    }),
  );
});

afterAll(() => service.stop());

const copies = () =>
  mounts.flatMap((keymgmt) => ['left', 'right'].map((provider) => ({ keymgmt, path: `kms/${provider}/key/signing` })));
const keysInVault = async () =>
  (await seeNames(keyClient(service.platform, vaultName))).filter((name) => name.startsWith('signing-'));

describe('six copies distributed at once', () => {
  beforeAll(async () => {
    await Promise.all(copies().map(({ keymgmt, path }) => keymgmt.done('PUT', path, { purpose: 'sign' })));
  });

  test('have six names', async () => {
    const names = await Promise.all(copies().map(async ({ keymgmt, path }) => (await keymgmt.distribution(path)).name));
    for (const name of names) expect(name).toMatch(/^signing-\d{10}$/);
    expect(new Set(names).size).toBe(6);
    expect(await keysInVault()).toEqual(names.sort());
  });

  test('each hold their own version, and no other', async () => {
    for (const { keymgmt, path } of copies()) {
      const { versions } = await keymgmt.key('signing');
      const { name, versions: ids } = await keymgmt.distribution(path);
      const seen = await seeVersions(keyClient(service.platform, vaultName), name);
      expect(seen.map(({ id }) => id)).toEqual(Object.values(ids));
      expect(seen.map(({ publicKey }) => spki(publicKey))).toEqual([spki(versions['1']?.public_key ?? '')]);
    }
  });

  test('are rotated each by itself', async () => {
    const [first, second] = mounts;
    await first?.done('POST', 'key/signing/rotate');
    expect((await first?.distribution('kms/left/key/signing'))?.versions).toEqual({ 1: versionId, 2: versionId });
    expect((await second?.distribution('kms/left/key/signing'))?.versions).toEqual({ 1: versionId });
  });

  test('are removed each by itself', async () => {
    const [first, ...others] = copies();
    await first?.keymgmt.done('DELETE', first.path);
    expect(await keysInVault()).toHaveLength(5);
    for (const { keymgmt, path } of others)
      expect(await keymgmt.send('GET', path)).toMatchObject({ status: 200, body: { warnings: null } });
  });
});

test('a name that somebody else took first is left alone, and another one is used', async () => {
  const client = keyClient(service.platform, vaultName);
  const [keymgmt] = mounts;
  await keymgmt?.done('POST', 'key/squatted');
  const now = Math.floor(Date.now() / 1000);
  const taken = Array.from({ length: 4 }, (_, seconds) => `squatted-${now + seconds}`);
  await Promise.all(taken.map((name) => client.createKey(name, 'EC')));
  await keymgmt?.done('PUT', 'kms/left/key/squatted', { purpose: 'sign' });
  const { name } = (await keymgmt?.distribution('kms/left/key/squatted')) ?? { name: '' };
  expect(taken).not.toContain(name);
  for (const other of taken) expect(await seeVersions(client, other)).toMatchObject([{ type: 'EC' }]);
});
