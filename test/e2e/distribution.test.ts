import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { providerApplication } from '../../src/local/platform/index.ts';
import type { Keymgmt } from '../support/keymgmt.ts';
import { startProviders, vaultNames, type Providers } from '../support/providers.ts';
import { openState } from '../../src/local/open-state.ts';
import { eventually, providerFields, type Service } from '../support/service.ts';
import { seeNames, seeVersions, spki } from '../support/vault-contents.ts';

/* What a key may do in a vault, how it gets there and which of its versions are enabled, as the vault itself shows it. */

let service: Service;
let keymgmt: Keymgmt;
let clientOf: Providers['clientOf'];
let seen: Providers['seen'];

beforeAll(async () => {
  ({ service, keymgmt, clientOf, seen } = await startProviders('keymgmt'));
});

afterAll(() => service.stop());
const callsOn = (vaultName: string) =>
  service.platform.keyVault.calls.filter(({ vault: name }) => name === vaultName).map(({ operation }) => operation);
const enabledByVersion = async (key: string) =>
  Object.fromEntries((await seen(key)).map(({ number, enabled }) => [number, enabled]));

describe('the purpose', () => {
  const all = ['encrypt', 'decrypt', 'sign', 'verify', 'wrap', 'unwrap'];
  const rows: [name: string, purpose: unknown, readBack: string, operations: string[]][] = [
    ...all.map((purpose): [string, unknown, string, string[]] => [
      purpose,
      purpose,
      purpose,
      [{ wrap: 'wrapKey', unwrap: 'unwrapKey' }[purpose] ?? purpose],
    ]),
    ['two in a list', ['verify', 'sign'], 'sign,verify', ['sign', 'verify']],
    ['two in a text', 'wrap,unwrap', 'unwrap,wrap', ['unwrapKey', 'wrapKey']],
    ['two with blanks', ' encrypt , wrap', 'encrypt,wrap', ['encrypt', 'wrapKey']],
    ['one said twice', ['sign', 'sign', 'decrypt'], 'decrypt,sign', ['decrypt', 'sign']],
    [
      'all six',
      all,
      'decrypt,encrypt,sign,unwrap,verify,wrap',
      ['decrypt', 'encrypt', 'sign', 'unwrapKey', 'verify', 'wrapKey'],
    ],
  ];

  test.each(rows)('%s is what the vault permits, and nothing else', async (name, purpose, readBack, operations) => {
    const key = `for-${name.replaceAll(' ', '-')}`;
    await keymgmt.done('POST', `key/${key}`);
    await keymgmt.done('PUT', `kms/premium/key/${key}`, { purpose });
    expect(await keymgmt.read(`kms/premium/key/${key}`)).toMatchObject({ purpose: readBack });
    expect((await seen(key)).map((version) => version.operations)).toEqual([operations]);
  });
});

describe('the protection', () => {
  test('hsm is Bring Your Own Key under one key that can only receive others', async () => {
    const before = callsOn(vaultNames.other).length;
    for (const key of ['first-hsm', 'second-hsm']) {
      await keymgmt.done('POST', `key/${key}`);
      await keymgmt.done('PUT', `kms/other/key/${key}`, { purpose: 'sign', protection: 'hsm' });
      expect(await seen(key, 'other')).toMatchObject([{ type: 'RSA-HSM' }]);
      expect(await keymgmt.read(`kms/other/key/${key}`)).toMatchObject({ protection: 'hsm' });
    }
    const changes = callsOn(vaultNames.other)
      .slice(before)
      .filter((operation) => !['challenge', 'get', 'versions', 'list'].includes(operation));
    expect(changes).toEqual(['create', 'import', 'import']);

    const keks = (await seeNames(clientOf('other'))).filter((name) => name.startsWith('keyfleet-kek'));
    expect(keks).toHaveLength(1);
    const [kek, ...others] = await seeVersions(clientOf('other'), keks[0] ?? '');
    expect(others).toEqual([]);
    expect(kek).toMatchObject({ type: 'RSA-HSM', operations: ['import'], enabled: true });
    expect(kek?.publicKey.asymmetricKeyDetails?.modulusLength).toBe(4096);
  });

  test('hsm takes one such key for each provider, of those too that were made together for one vault', async () => {
    const before = await seeNames(clientOf('other'));
    const pair = ['left', 'right'];
    await Promise.all(pair.map((name) => keymgmt.done('PUT', `kms/${name}`, providerFields(vaultNames.other))));
    await Promise.all(pair.map((name) => keymgmt.done('POST', `key/for-${name}`)));
    await Promise.all(pair.map((name) => keymgmt.done('PUT', `kms/${name}/key/for-${name}`, { purpose: 'sign' })));
    const added = (await seeNames(clientOf('other'))).filter((name) => !before.includes(name));
    expect(added.filter((name) => name.startsWith('keyfleet-kek'))).toHaveLength(2);
  });

  test('software is Bring Your Own Key too where the vault can', async () => {
    const before = callsOn(vaultNames.other).length;
    await keymgmt.done('POST', 'key/soft-premium');
    await keymgmt.done('PUT', 'kms/other/key/soft-premium', { purpose: 'sign', protection: 'software' });
    expect(await seen('soft-premium', 'other')).toMatchObject([{ type: 'RSA', operations: ['sign'] }]);
    const { body } = await keymgmt.send('GET', 'kms/other/key/soft-premium');
    expect(body.data).toMatchObject({ protection: 'software' });
    // The key exchange key is there already.
    expect(callsOn(vaultNames.other).slice(before)).not.toContain('create');
  });

  test('software is a plain import where the vault has no hardware', async () => {
    await keymgmt.done('POST', 'key/soft-standard');
    await keymgmt.done('PUT', 'kms/standard/key/soft-standard', { purpose: 'sign,verify', protection: 'software' });
    const versions = await seen('soft-standard', 'standard');
    expect(versions).toMatchObject([{ type: 'RSA', operations: ['sign', 'verify'] }]);
    const { versions: ours } = await keymgmt.key('soft-standard');
    expect(spki(versions[0]?.publicKey ?? '')).toBe(spki(ours['1']?.public_key ?? ''));
    expect((await seeNames(clientOf('standard'))).filter((name) => name.startsWith('keyfleet-kek'))).toEqual([]);
  });

  test('of a key in a software vault stays so when it is rotated', async () => {
    await keymgmt.done('POST', 'key/soft-standard/rotate');
    expect(await seen('soft-standard', 'standard')).toMatchObject([{ type: 'RSA' }, { type: 'RSA' }]);
  });
});

describe('min_enabled_version', () => {
  const name = 'with-minimum';

  beforeAll(async () => {
    await keymgmt.done('POST', `key/${name}`);
    await keymgmt.done('PUT', `kms/premium/key/${name}`, { purpose: 'sign' });
    await keymgmt.done('POST', `key/${name}/rotate`);
    await keymgmt.done('POST', `key/${name}/rotate`);
  });

  const rows: [minimum: number, shown: string[], enabled: Record<number, boolean>][] = [
    [2, ['2', '3'], { 1: false, 2: true, 3: true }],
    [3, ['3'], { 1: false, 2: false, 3: true }],
    [1, ['1', '2', '3'], { 1: true, 2: true, 3: true }],
    [3, ['3'], { 1: false, 2: false, 3: true }],
    [0, ['1', '2', '3'], { 1: true, 2: true, 3: true }],
  ];
  test.each(rows)('%i is in force when the write returns', async (minimum, shown, enabled) => {
    await keymgmt.done('PUT', `key/${name}`, { min_enabled_version: minimum });
    expect(await enabledByVersion(name)).toEqual(enabled);
    const key = await keymgmt.key(name);
    expect(Object.keys(key.versions)).toEqual(shown);
    expect(key).toMatchObject({ latest_version: 3, min_enabled_version: minimum });
    // What is disabled is still there.
    const { versions } = await keymgmt.distribution(`kms/premium/key/${name}`);
    expect(Object.keys(versions)).toEqual(['1', '2', '3']);
  });

  test('goes with a key that is distributed later, whose last version is the current one', async () => {
    await keymgmt.done('PUT', `key/${name}`, { min_enabled_version: 3 });
    const callsBefore = callsOn(vaultNames.other).length;
    await keymgmt.done('PUT', `kms/other/key/${name}`, { purpose: 'sign' });
    // What is disabled was never enabled there.
    expect(callsOn(vaultNames.other).slice(callsBefore)).not.toContain('update');
    const versions = await seen(name, 'other');
    expect(versions.map(({ number, enabled }) => [number, enabled])).toEqual([
      [1, false],
      [2, false],
      [3, true],
    ]);
    const { name: kmsName } = await keymgmt.distribution(`kms/other/key/${name}`);
    const current = await clientOf('other').getKey(kmsName);
    expect(current.properties.version).toBe(versions[2]?.id);
  });

  test('of 2 covers the version that a rotation adds', async () => {
    await keymgmt.done('PUT', `key/${name}`, { min_enabled_version: 2 });
    await keymgmt.done('POST', `key/${name}/rotate`);
    expect(await enabledByVersion(name)).toEqual({ 1: false, 2: true, 3: true, 4: true });
  });
});

test('nothing of this is left to do', async () => {
  const { intents } = openState(service.platform);
  await eventually('the end of all intents', async () => (await intents.list()).length === 0);
  const queue = () => service.platform.broker.queue('distribution');
  await eventually('the end of all messages', () => queue().active + queue().scheduled === 0);
  expect(queue()).toMatchObject({ deadLettered: 0 });
});

test('none of this took the permission to list, which nobody here has', () => {
  const ours = service.platform.keyVault.calls.filter(({ clientId }) => clientId === providerApplication.clientId);
  expect(ours.length).toBeGreaterThan(50);
  const lists = ours.filter(({ operation }) => ['list', 'versions', 'listDeleted'].includes(operation));
  expect(lists.filter(({ status }) => status < 400)).toEqual([]);
});
