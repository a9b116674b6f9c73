import nodeVault from 'node-vault';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createHarness, type Harness, rootToken } from '../vault-api/support/harness.ts';
import { createSampleEngine } from '../vault-api/support/sample-engine.ts';
import { startWireServer, type WireServer } from '../vault-api/support/wire-server.ts';

let harness: Harness;
let server: WireServer;
let vault: nodeVault.client;

beforeEach(async () => {
  harness = await createHarness({ engines: [createSampleEngine()] });
  server = await startWireServer((request) => harness.api.handle(request));
  vault = nodeVault({ endpoint: server.url, token: rootToken });
  await vault.mount({ mount_point: 'keymgmt', type: 'keymgmt', description: 'Keys' });
});

afterEach(() => server[Symbol.asyncDispose]());

interface NodeVaultError extends Error {
  response: { statusCode: number; body: unknown };
}

const rejection = (promise: Promise<unknown>) =>
  promise.then(
    () => Promise.reject(new Error('it was not refused')),
    (error: unknown) => error as NodeVaultError,
  );

test('status, health, leader and init', async () => {
  expect(await vault.status()).toMatchObject({ sealed: false, version: '2.0.0+ent' });
  expect(await vault.health()).toMatchObject({ initialized: true, sealed: false, standby: false });
  expect(await vault.leader()).toMatchObject({ ha_enabled: false });
  expect(await vault.initialized()).toEqual({ initialized: true });
});

test('mounts and unmounts', async () => {
  const listed = (await vault.mounts()) as { data: Record<string, unknown> };
  expect(listed.data).toHaveProperty('keymgmt/', expect.objectContaining({ type: 'keymgmt', description: 'Keys' }));
  await vault.unmount({ mount_point: 'keymgmt' });
  expect(((await vault.mounts()) as { data: object }).data).not.toHaveProperty('keymgmt/');
  const error = await rejection(vault.mount({ mount_point: 'keymgmt', type: 'nope' }));
  expect(error.message).toBe('plugin not found in the catalog: nope');
});

test('writes, reads and deletes', async () => {
  await vault.write('keymgmt/key/a', { type: 'rsa-2048' });
  expect(await vault.read('keymgmt/key/a')).toMatchObject({ data: { name: 'a' }, mount_type: 'keymgmt' });
  await vault.delete('keymgmt/key/a');
  const error = await rejection(vault.read('keymgmt/key/a'));
  expect(error.message).toBe('Status 404');
  expect(error.response).toMatchObject({ statusCode: 404, body: { errors: [] } });
});

test('writes without data, which it calls an empty form', async () => {
  await vault.write('keymgmt/key/a', {});
  await vault.write('keymgmt/key/a/rotate', undefined);
  expect(server.requests.at(-1)).toMatchObject({ method: 'POST', body: '' });
  expect(server.requests.at(-1)?.headers.get('content-type')).toBe('application/x-www-form-urlencoded');
});

test.each([false, true])('lists, without custom verbs: %s', async (noCustomHTTPVerbs) => {
  const client = nodeVault({ endpoint: server.url, token: rootToken, noCustomHTTPVerbs });
  expect((await rejection(client.list('keymgmt/key'))).message).toBe('Status 404');
  await client.write('keymgmt/key/b', {});
  await client.write('keymgmt/key/a', {});
  expect(await client.list('keymgmt/key')).toMatchObject({ data: { keys: ['a', 'b'] } });
  expect(server.requests.at(-1)).toMatchObject(
    noCustomHTTPVerbs ? { method: 'GET', target: '/v1/keymgmt/key?list=1' } : { method: 'LIST' },
  );
});

test('patches with the type that patches have', async () => {
  const error = await rejection(vault.update('keymgmt/key/a', { type: 'x' }));
  expect(error.response.statusCode).toBe(405);
  expect(server.requests.at(-1)?.headers.get('content-type')).toBe('application/merge-patch+json');
});

test('help', async () => {
  expect(await vault.help('keymgmt/key/a')).toMatchObject({ help: expect.stringContaining('Keeps a key.') as string });
});

test('its own token', async () => {
  const created = (await vault.tokenCreate({ ttl: '1h', display_name: 'app' })) as { auth: { client_token: string } };
  const child = nodeVault({ endpoint: server.url, token: created.auth.client_token });
  expect(await child.tokenLookupSelf()).toMatchObject({ data: { display_name: 'token-app', ttl: 3600 } });
  expect(await child.tokenRenewSelf({ increment: '2h' })).toMatchObject({ auth: { lease_duration: 7200 } });
  await child.tokenRevokeSelf();
  const error = await rejection(child.tokenLookupSelf());
  expect(error.message).toBe('2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n');
});
