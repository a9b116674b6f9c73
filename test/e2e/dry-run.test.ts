import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { everything } from '../support/everything.ts';
import { keymgmtAt, versionId, type Keymgmt } from '../support/keymgmt.ts';
import {
  eventually,
  keyClient,
  providerCredentials,
  providerFields,
  startService,
  vaultOf,
  type Service,
} from '../support/service.ts';
import { seeNames } from '../support/vault-contents.ts';

/*
 * Each request that changes something, first as a dry run and then for real: the first changes nothing at all, and says
 * what the second does.
 */

let service: Service;
let keymgmt: Keymgmt;

beforeAll(async () => {
  const vaults = ['learn-keyvault', 'spare-keyvault'].map((name) => ({ name, sku: 'premium' as const }));
  service = await startService({ platform: { vaults } });
  await service.vault('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' });
  keymgmt = keymgmtAt(service, 'keymgmt');
});

afterAll(() => service.stop());

interface Plan {
  dry_run: boolean;
  changes: { path: string; action: string; description: string }[];
  vaults: Record<string, { key_collection: string; keys: Record<string, { name: string; steps: unknown[] }> }>;
}

/** What a dry run says, which must leave everything as it is. The vaults may be looked at. */
async function plan(method: string, path: string, body?: unknown): Promise<Plan> {
  const { tables, contents } = await everything(service);
  const { status, body: answer } = await keymgmt.send(method, `${path}?dry_run=true`, body);
  expect({ status, warnings: answer.warnings, errors: answer.errors }).toEqual({ status: 200, warnings: null });
  expect(await everything(service)).toMatchObject({ tables, contents });
  expect(answer.data).toMatchObject({ dry_run: true });
  return answer.data as unknown as Plan;
}

const vaultsOf = ({ vaults }: Plan) =>
  Object.entries(vaults).map(([provider, { key_collection: vault, keys }]) => ({ provider, vault, keys }));
const changesOf = ({ changes }: Plan) => changes.map(({ action, path }) => `${action} ${path}`);

/** Does it, and waits until every vault has followed. */
async function done(method: string, path: string, body?: unknown): Promise<void> {
  expect((await keymgmt.send(method, path, body)).status).toBeLessThan(300);
  await eventually('agreement', async () => {
    const names = (await keymgmt.list('kms')) as string[];
    const pending = await Promise.all(
      names.map(async (name) => {
        const { body: answer } = await keymgmt.send('GET', `kms/${name}/key/wave`);
        return answer.warnings ?? [];
      }),
    );
    return pending.flat().length === 0;
  });
}

describe('a dry run tells what the request then does:', () => {
  test('create a key', async () => {
    const told = await plan('POST', 'key/wave', { type: 'rsa-3072', deletion_allowed: true });
    expect(told.changes).toEqual([
      {
        path: 'key/wave',
        action: 'create',
        description:
          'create key "wave" of type rsa-3072 with version 1, min_enabled_version 1 and deletion_allowed true',
      },
    ]);
    expect(told.vaults).toEqual({});
    expect((await keymgmt.send('GET', 'key/wave')).status).toBe(404);
    await keymgmt.done('POST', 'key/wave', { type: 'rsa-3072', deletion_allowed: true });
  });

  test('create a provider, its credentials unspoken', async () => {
    const fields = providerFields('learn-keyvault');
    const told = await plan('POST', 'kms/first', fields);
    expect(told).toEqual({
      dry_run: true,
      changes: [
        { path: 'kms/first', action: 'create', description: 'create provider "first" for Key Vault "learn-keyvault"' },
      ],
      vaults: {},
    });
    await keymgmt.done('POST', 'kms/first', fields);
    await keymgmt.done('POST', 'kms/second', providerFields('spare-keyvault'));
  });

  test('change credentials', async () => {
    const told = await plan('POST', 'kms/first', { credentials: providerCredentials() });
    expect(changesOf(told)).toEqual(['update kms/first']);
    expect(JSON.stringify(told)).not.toContain(providerCredentials().client_secret);
    expect((await plan('POST', 'kms/first', { key_collection: 'learn-keyvault' })).changes).toEqual([]);
  });

  test('distribute, under a name that is yet to come', async () => {
    const body = { purpose: 'sign,verify', protection: 'hsm' };
    const told = await plan('POST', 'kms/first/key/wave', body);
    expect(changesOf(told)).toEqual(['create kms/first/key/wave']);
    const steps = [{ action: 'import', version: 1, enabled: true, description: 'import version 1, enabled' }];
    expect(told.vaults).toEqual({
      first: { key_collection: 'learn-keyvault', keys: { wave: { name: 'wave-<unix seconds>', steps } } },
    });
    expect(await seeNames(keyClient(service.platform, 'learn-keyvault'))).toEqual([]);
    await done('POST', 'kms/first/key/wave', body);
    await done('POST', 'kms/second/key/wave', body);
    expect((await keymgmt.distribution('kms/first/key/wave')).name).toMatch(/^wave-\d+$/);
  });

  test('rotate, in every vault', async () => {
    const told = await plan('POST', 'key/wave/rotate');
    expect(changesOf(told)).toEqual(['update key/wave']);
    const names = await Promise.all(
      ['first', 'second'].map(async (provider) => (await keymgmt.distribution(`kms/${provider}/key/wave`)).name),
    );
    const steps = [{ action: 'import', version: 2, enabled: true, description: 'import version 2, enabled' }];
    expect(vaultsOf(told)).toEqual([
      { provider: 'first', vault: 'learn-keyvault', keys: { wave: { name: names[0], steps } } },
      { provider: 'second', vault: 'spare-keyvault', keys: { wave: { name: names[1], steps } } },
    ]);
    expect((await keymgmt.key('wave')).latest_version).toBe(1);
    await done('POST', 'key/wave/rotate');
    const seen = await keymgmt.seen('kms/second/key/wave', 'spare-keyvault');
    expect(seen.map(({ number, enabled }) => [number, enabled])).toEqual([
      [1, true],
      [2, true],
    ]);
  });

  test('disable old versions', async () => {
    const told = await plan('POST', 'key/wave', { min_enabled_version: 2 });
    expect(told.changes).toEqual([
      { path: 'key/wave', action: 'update', description: 'change min_enabled_version from 1 to 2' },
    ]);
    const step = { action: 'disable', version: 1, kms_version: versionId, description: 'disable version 1' };
    expect(vaultsOf(told)).toMatchObject([
      { keys: { wave: { steps: [step] } } },
      { keys: { wave: { steps: [step] } } },
    ]);
    await done('POST', 'key/wave', { min_enabled_version: 2 });
    const seen = await keymgmt.seen('kms/first/key/wave', 'learn-keyvault');
    expect(seen.map(({ enabled }) => enabled)).toEqual([false, true]);
  });

  test('nothing, where all is as it should be', async () => {
    const nothing = { dry_run: true, changes: [], vaults: {} };
    expect(await plan('POST', 'key/wave', { min_enabled_version: 2, deletion_allowed: true })).toEqual(nothing);
    expect(await plan('DELETE', 'key/missing')).toEqual(nothing);
    expect(await plan('DELETE', 'kms/missing')).toEqual(nothing);
    expect(await plan('DELETE', 'kms/first/key/missing')).toEqual(nothing);
  });

  test('remove from a vault, and delete', async () => {
    const told = await plan('DELETE', 'kms/first/key/wave');
    const { name } = await keymgmt.distribution('kms/first/key/wave');
    expect(changesOf(told)).toEqual(['delete kms/first/key/wave']);
    const steps = [{ action: 'delete', description: `delete key ${name}` }];
    expect(vaultsOf(told)).toMatchObject([{ provider: 'first', keys: { wave: { name, steps } } }]);
    for (const provider of ['first', 'second']) {
      await keymgmt.send('DELETE', `kms/${provider}/key/wave`);
      await eventually('the end', async () => (await keymgmt.send('GET', `kms/${provider}/key/wave`)).status === 404);
    }
    expect(changesOf(await plan('DELETE', 'kms/first'))).toEqual(['delete kms/first']);
    expect(await plan('DELETE', 'key/wave')).toEqual({
      dry_run: true,
      changes: [{ path: 'key/wave', action: 'delete', description: 'delete key "wave" and its 2 versions for good' }],
      vaults: {},
    });
    await keymgmt.done('DELETE', 'kms/first');
    await keymgmt.done('DELETE', 'key/wave');
  });
});

test('a rotation that a vault could not follow is refused alike', async () => {
  await keymgmt.done('POST', 'key/stuck');
  await keymgmt.send('POST', 'kms/second/key/stuck', { purpose: 'sign' });
  await eventually('the copy', async () => {
    const { versions } = await keymgmt.distribution('kms/second/key/stuck');
    return Object.keys(versions).length === 1;
  });
  const { tables } = await everything(service);
  const control = service.platform.keyVault.control('spare-keyvault');
  const other = await service.startHost();
  control.setFirewall([]);
  // A host that has just seen the vault would not look again.
  const send = async (query: string) =>
    vaultOf(other, service.platform.rootToken)('POST', `keymgmt/key/stuck/rotate${query}`);
  const dry = await send('?dry_run=true');
  const real = await send('');
  control.setFirewall(undefined);
  expect(dry.text).toContain("network rules don't let this service in");
  expect({ status: dry.status, text: dry.text }).toEqual({ status: real.status, text: real.text });
  expect(dry.status).toBe(400);
  expect((await everything(service)).tables).toEqual(tables);
});

test('dry_run in the body is as good, and anything unclear is refused', async () => {
  const before = await everything(service);
  const { status, body } = await keymgmt.send('POST', 'key/new', { dry_run: 'true' });
  expect({ status, data: body.data }).toMatchObject({ status: 200, data: { dry_run: true } });
  expect(await keymgmt.send('POST', 'key/new?dry_run=perhaps')).toMatchObject({ status: 400 });
  expect(await service.vault('POST', 'sys/mounts/other?dry_run=true', { type: 'kv' })).toMatchObject({ status: 400 });
  expect(await everything(service)).toEqual(before);
});

test('policies ask for what the real request needs', async () => {
  const { vault, host } = service;
  const policy = 'path "keymgmt/key/mine" { capabilities = ["create", "update"] }';
  await vault('PUT', 'sys/policies/acl/mine', { policy });
  const { body } = await vault('POST', 'auth/token/create', { policies: ['mine'], no_default_policy: true });
  const call = vaultOf(host, (body.auth as { client_token: string }).client_token);
  expect(await call('POST', 'keymgmt/key/mine?dry_run=true')).toMatchObject({ status: 200 });
  expect(await call('POST', 'keymgmt/key/theirs?dry_run=true')).toMatchObject({ status: 403 });
  expect(await call('DELETE', 'keymgmt/key/mine?dry_run=true')).toMatchObject({ status: 403 });
});
