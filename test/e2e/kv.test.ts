import nodeVault from 'node-vault';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openState } from '../../src/local/open-state.ts';
import {
  eventually,
  mountUuid,
  runTimer,
  startService,
  vaultOf,
  type Answer,
  type Service,
  type VaultCall,
} from '../support/service.ts';

/* Versioned secrets through the built service on its host: what clients send, and what they rely on in the answers. */

let service: Service;
const logged: unknown[] = [];

beforeAll(async () => {
  service = await startService({ platform: { rootToken: 'root' }, log: (line) => void logged.push(line) });
});

afterAll(() => service.stop());

const time: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const there = (version: number) => ({
  created_time: time,
  custom_metadata: null,
  deletion_time: '',
  destroyed: false,
  version,
});

/** Requests with the headers of one client. */
function client(headers: Record<string, string>): VaultCall {
  return (method, path, body, more) => service.vault(method, path, body, { ...headers, ...more });
}

function dataOf({ status, body }: Answer): Record<string, unknown> {
  expect(status).toBe(200);
  return body.data ?? {};
}

describe('node-vault', () => {
  let vault: nodeVault.client;
  const data = async (reading: Promise<unknown>) => ((await reading) as { data: Record<string, unknown> }).data;
  const refusal = (promise: Promise<unknown>) =>
    promise.then(
      () => Promise.reject(new Error('it was not refused')),
      (error: unknown) => error as Error & { response: { statusCode: number; body: { data?: unknown } } },
    );

  beforeAll(async () => {
    vault = nodeVault({ endpoint: service.host.url, token: 'root' });
    await vault.mount({ mount_point: 'node', type: 'kv-v2', description: 'Secrets' });
  });

  test('writes, reads, and reads again what was there before', async () => {
    expect(await data(vault.write('node/data/app/db', { data: { user: 'u', password: 'p1' } }))).toEqual(there(1));
    expect(
      await data(vault.write('node/data/app/db', { data: { user: 'u', password: 'p2' }, options: { cas: 1 } })),
    ).toEqual(there(2));
    expect(await data(vault.read('node/data/app/db'))).toEqual({
      data: { user: 'u', password: 'p2' },
      metadata: there(2),
    });
    expect(await data(vault.read('node/data/app/db?version=1'))).toEqual({
      data: { user: 'u', password: 'p1' },
      metadata: there(1),
    });
    const error = await refusal(vault.write('node/data/app/db', { data: {}, options: { cas: 1 } }));
    expect(error.message).toBe('check-and-set parameter did not match the current version');
  });

  test('patches', async () => {
    expect(await data(vault.update('node/data/app/db', { data: { password: 'p3', user: null } }))).toEqual(there(3));
    expect(await data(vault.read('node/data/app/db'))).toMatchObject({ data: { password: 'p3' } });
  });

  test.each([false, true])('lists, without custom verbs: %s', async (noCustomHTTPVerbs) => {
    const other = nodeVault({ endpoint: service.host.url, token: 'root', noCustomHTTPVerbs });
    expect(await data(other.list('node/metadata'))).toEqual({ keys: ['app/'] });
    expect(await data(other.list('node/metadata/app'))).toEqual({ keys: ['db'] });
    expect((await refusal(other.list('node/metadata/none'))).response.statusCode).toBe(404);
  });

  test('deletes, brings back, destroys and removes', async () => {
    await vault.delete('node/data/app/db');
    const gone = await refusal(vault.read('node/data/app/db'));
    expect(gone.response).toMatchObject({
      statusCode: 404,
      body: { data: { data: null, metadata: { ...there(3), deletion_time: time } } },
    });
    await vault.write('node/undelete/app/db', { versions: [3] });
    expect(await data(vault.read('node/data/app/db'))).toMatchObject({ data: { password: 'p3' } });
    await vault.write('node/destroy/app/db', { versions: [1, 3] });
    expect(await data(vault.read('node/metadata/app/db'))).toMatchObject({
      current_version: 3,
      versions: { 1: { destroyed: true }, 2: { destroyed: false }, 3: { destroyed: true } },
    });
    await vault.delete('node/metadata/app/db');
    expect((await refusal(vault.read('node/data/app/db'))).message).toBe('Status 404');
  });
});

/** The Go client, which sends no type with its bodies. */
describe('vault kv', () => {
  const cli: VaultCall = (method, path, body) => {
    const encoded = body === undefined ? undefined : new TextEncoder().encode(JSON.stringify(body));
    return client({ 'X-Vault-Request': 'true', 'Accept-Encoding': 'gzip' })(method, path, encoded);
  };
  /** What comes before every command: where the mount ends, and whether it has versions. */
  async function preflight(path: string): Promise<void> {
    const { path: found, options } = dataOf(await cli('GET', `sys/internal/ui/mounts/${path}`));
    expect({ found, options }).toEqual({ found: 'cli/', options: { version: '2' } });
  }

  beforeAll(async () => {
    const body = {
      type: 'kv',
      description: '',
      config: { options: null, default_lease_ttl: '0s', max_lease_ttl: '0s', force_no_cache: false },
      local: false,
      seal_wrap: false,
      external_entropy_access: false,
      options: { version: '2' },
    };
    expect((await cli('POST', 'sys/mounts/cli', body)).status).toBe(204);
  });

  test('put -mount=cli my/app, and put cli/my/app -cas=1', async () => {
    await preflight('cli');
    expect(dataOf(await cli('PUT', 'cli/data/my/app', { data: { x: '1' }, options: {} }))).toEqual(there(1));
    await preflight('cli/my/app');
    expect(dataOf(await cli('PUT', 'cli/data/my/app', { data: { x: '2' }, options: { cas: 1 } }))).toEqual(there(2));
    const refused = await cli('PUT', 'cli/data/my/app', { data: { x: '3' }, options: { cas: 1 } });
    expect(refused).toMatchObject({
      status: 400,
      body: { errors: ['check-and-set parameter did not match the current version'] },
    });
  });

  test('get, get -version=1, and get of nothing', async () => {
    await preflight('cli/my/app');
    expect(dataOf(await cli('GET', 'cli/data/my/app'))).toEqual({ data: { x: '2' }, metadata: there(2) });
    expect(dataOf(await cli('GET', 'cli/data/my/app?version=1'))).toMatchObject({ data: { x: '1' } });
    expect(await cli('GET', 'cli/data/none')).toMatchObject({ status: 404, body: { errors: [] } });
  });

  test('patch, which sends the type of merge patches, and patch -method=rw, which reads and writes', async () => {
    const headers = { 'Content-Type': 'application/merge-patch+json' };
    const patched = await client(headers)('PATCH', 'cli/data/my/app', { data: { y: '1' }, options: {} });
    expect(dataOf(patched)).toEqual(there(3));
    const { data, metadata } = dataOf(await cli('GET', 'cli/data/my/app')) as {
      data: Record<string, string>;
      metadata: { version: number };
    };
    expect(data).toEqual({ x: '2', y: '1' });
    const body = { data: { ...data, z: '1' }, options: { cas: metadata.version } };
    expect(dataOf(await cli('PUT', 'cli/data/my/app', body))).toEqual(there(4));
  });

  test('list', async () => {
    await preflight('cli');
    expect(dataOf(await cli('GET', 'cli/metadata?list=true'))).toEqual({ keys: ['my/'] });
    expect(dataOf(await cli('GET', 'cli/metadata/my?list=true'))).toEqual({ keys: ['app'] });
  });

  test('delete, delete -versions, undelete and destroy, with numbers as texts', async () => {
    expect((await cli('DELETE', 'cli/data/my/app')).status).toBe(204);
    const deleted = await cli('GET', 'cli/data/my/app');
    expect(deleted.status).toBe(404);
    expect(deleted.body.data).toEqual({ data: null, metadata: { ...there(4), deletion_time: time } });
    expect((await cli('PUT', 'cli/delete/my/app', { versions: ['1', '2'] })).status).toBe(204);
    expect((await cli('PUT', 'cli/undelete/my/app', { versions: ['4', '1'] })).status).toBe(204);
    expect((await cli('PUT', 'cli/destroy/my/app', { versions: ['2'] })).status).toBe(204);
    expect(dataOf(await cli('GET', 'cli/metadata/my/app')).versions).toEqual({
      1: { created_time: time, deletion_time: '', destroyed: false },
      2: { created_time: time, deletion_time: time, destroyed: true },
      3: { created_time: time, deletion_time: '', destroyed: false },
      4: { created_time: time, deletion_time: '', destroyed: false },
    });
  });

  test('rollback -version=1', async () => {
    const { current_version: cas } = dataOf(await cli('GET', 'cli/metadata/my/app'));
    const { data } = dataOf(await cli('GET', 'cli/data/my/app?version=1'));
    expect(dataOf(await cli('PUT', 'cli/data/my/app', { data, options: { cas } }))).toEqual(there(5));
  });

  test('metadata put, get, patch and delete', async () => {
    const settings = { max_versions: 5, delete_version_after: '3h25m19s', custom_metadata: { foo: 'abc', bar: '123' } };
    expect((await cli('PUT', 'cli/metadata/my/app', settings)).status).toBe(204);
    const patch = client({ 'Content-Type': 'application/merge-patch+json' });
    expect((await patch('PATCH', 'cli/metadata/my/app', { custom_metadata: { bar: null } })).status).toBe(204);
    expect(dataOf(await cli('GET', 'cli/metadata/my/app'))).toMatchObject({
      ...settings,
      custom_metadata: { foo: 'abc' },
      current_version: 5,
    });
    expect((await cli('DELETE', 'cli/metadata/my/app')).status).toBe(204);
    expect(await cli('GET', 'cli/metadata?list=true')).toMatchObject({ status: 404, body: { errors: [] } });
  });

  test('read and write as with version 1 are answered with advice', async () => {
    const { status, body } = await cli('GET', 'cli/my/app');
    expect(status).toBe(404);
    expect(body.warnings).toEqual([expect.stringContaining("use 'vault kv get' for this operation")]);
  });
});

describe('hvac', () => {
  const hvac = client({ 'X-Vault-Request': 'true', 'Content-Type': 'application/json', Accept: '*/*' });
  const read = (path: string) => client({ 'X-Vault-Request': 'true', Accept: '*/*' })('GET', path);

  beforeAll(async () => {
    const body = {
      type: 'kv',
      description: null,
      config: null,
      options: { version: '2' },
      plugin_name: null,
      local: false,
      seal_wrap: false,
    };
    expect((await hvac('POST', 'sys/mounts/hvac', body)).status).toBe(204);
  });

  test('configure and read_configuration', async () => {
    expect((await hvac('POST', 'hvac/config', { max_versions: 10, delete_version_after: '0s' })).status).toBe(204);
    expect(dataOf(await read('hvac/config'))).toEqual({
      max_versions: 10,
      cas_required: false,
      delete_version_after: '0s',
    });
  });

  test('create_or_update_secret, patch, read_secret_version and list_secrets', async () => {
    expect(dataOf(await hvac('POST', 'hvac/data/a', { options: { cas: 0 }, data: { x: 1 } }))).toEqual(there(1));
    const { data, metadata } = dataOf(await read('hvac/data/a')) as { data: object; metadata: { version: number } };
    const patched = { options: { cas: metadata.version }, data: { ...data, y: 2 } };
    expect(dataOf(await hvac('POST', 'hvac/data/a', patched))).toEqual(there(2));
    expect(dataOf(await read('hvac/data/a?version=2'))).toMatchObject({ data: { x: 1, y: 2 } });
    expect(dataOf(await hvac('LIST', 'hvac/metadata/'))).toEqual({ keys: ['a'] });
    expect(dataOf(await read('hvac/metadata/?list=True'))).toEqual({ keys: ['a'] });
  });

  test('update_metadata, which always sends a time, and its deleted versions, which it knows by the exact type', async () => {
    const metadata = { max_versions: 3, cas_required: false, delete_version_after: '0s', custom_metadata: { k: 'v' } };
    expect((await hvac('POST', 'hvac/metadata/a', metadata)).status).toBe(204);
    expect((await hvac('POST', 'hvac/delete/a', { versions: [2] })).status).toBe(204);
    const deleted = await read('hvac/data/a');
    expect(deleted.status).toBe(404);
    expect(deleted.headers.get('content-type')).toBe('application/json');
    expect(deleted.body.data).toMatchObject({ data: null, metadata: { version: 2, custom_metadata: { k: 'v' } } });
    expect((await hvac('POST', 'hvac/undelete/a', { versions: [2] })).status).toBe(204);
    expect((await hvac('POST', 'hvac/destroy/a', { versions: [1] })).status).toBe(204);
    expect((await hvac('DELETE', 'hvac/metadata/a')).status).toBe(204);
    expect((await read('hvac/data/a')).status).toBe(404);
  });
});

describe('Terraform', () => {
  const terraform = client({ 'X-Vault-Request': 'true', 'Accept-Encoding': 'gzip' });

  test('vault_mount and vault_kv_secret_backend_v2', async () => {
    const mount = {
      type: 'kv',
      description: 'Secrets',
      config: { options: null, default_lease_ttl: '0s', max_lease_ttl: '0s', force_no_cache: false },
      local: false,
      seal_wrap: false,
      external_entropy_access: false,
      options: { version: '2' },
    };
    expect((await terraform('POST', 'sys/mounts/tf/secrets', mount)).status).toBe(204);
    expect(dataOf(await terraform('GET', 'sys/mounts/tf/secrets'))).toMatchObject({
      type: 'kv',
      options: { version: '2' },
    });
    const config = { max_versions: 5, cas_required: false, delete_version_after: '12600s' };
    expect((await terraform('PUT', 'tf/secrets/config', config)).status).toBe(204);
    expect(dataOf(await terraform('GET', 'tf/secrets/config'))).toEqual({ ...config, delete_version_after: '3h30m0s' });
    expect((await terraform('PUT', 'tf/secrets/config', { ...config, delete_version_after: '0s' })).status).toBe(204);
  });

  test('vault_kv_secret_v2 from create to destroy', async () => {
    const written = await terraform('PUT', 'tf/secrets/data/app', {
      data: { zip: 'zap', foo: 'bar' },
      cas: 0,
      options: { cas: '0' },
    });
    expect(dataOf(written)).toEqual(there(1));
    expect(written.body.warnings).toEqual(['Endpoint ignored these unrecognized parameters: [cas]']);
    const metadata = {
      max_versions: 5,
      cas_required: false,
      delete_version_after: 0,
      custom_metadata: { foo: 'vault@example.com', bar: '12345' },
    };
    expect((await terraform('PUT', 'tf/secrets/metadata/app', metadata)).status).toBe(204);
    const read = dataOf(await terraform('GET', 'tf/secrets/data/app'));
    expect(read).toEqual({
      data: { zip: 'zap', foo: 'bar' },
      metadata: { ...there(1), custom_metadata: metadata.custom_metadata },
    });
    expect(dataOf(await terraform('GET', 'tf/secrets/metadata/app'))).toMatchObject({
      ...metadata,
      delete_version_after: '0s',
    });
    expect((await terraform('DELETE', 'tf/secrets/metadata/app')).status).toBe(204);
    expect(await terraform('GET', 'tf/secrets/data/app')).toMatchObject({ status: 404, body: { errors: [] } });
    expect((await terraform('DELETE', 'sys/mounts/tf/secrets')).status).toBe(204);
  });

  test('vault_generic_secret finds out that there are versions', async () => {
    expect((await terraform('POST', 'sys/mounts/generic', { type: 'kv-v2' })).status).toBe(204);
    expect(dataOf(await terraform('GET', 'sys/internal/ui/mounts/generic/app')).options).toEqual({ version: '2' });
    expect(dataOf(await terraform('PUT', 'generic/data/app', { data: { a: 'b' }, options: {} }))).toEqual(there(1));
    expect((await terraform('DELETE', 'generic/data/app')).status).toBe(204);
  });
});

describe('the service itself', () => {
  test('gives back what JSON numbers said, over the wire', async () => {
    const { vault } = service;
    await vault('POST', 'sys/mounts/exact', { type: 'kv-v2' });
    await vault('POST', 'exact/data/n', '{"data":{"big":12345678901234567890,"f":1.0,"e":1e3,"t":"ü🔑"}}');
    expect((await vault('GET', 'exact/data/n')).text).toContain(
      '"data":{"big":12345678901234567890,"f":1.0,"e":1e3,"t":"ü🔑"}',
    );
  });

  test('holds what is written through one instance for readers of another, and lets one of two writers win', async () => {
    const second = vaultOf(await service.startHost(), 'root');
    await service.vault('POST', 'sys/mounts/shared', { type: 'kv-v2' });
    expect((await service.vault('POST', 'shared/data/a', { data: { from: 'first' } })).status).toBe(200);
    expect(dataOf(await second('GET', 'shared/data/a'))).toMatchObject({ data: { from: 'first' } });
    const body = { data: { from: 'either' }, options: { cas: 1 } };
    const both = await Promise.all([service.vault, second].map((call) => call('POST', 'shared/data/a', body)));
    expect(both.map(({ status }) => status).sort()).toEqual([200, 400]);
    const without = await Promise.all(
      [service.vault, second].map((call) => call('POST', 'shared/data/a', { data: {} })),
    );
    expect(without.map((answer) => dataOf(answer).version).sort()).toEqual([3, 4]);
  });

  test('sees to what is due when its timer runs', async () => {
    const { vault, host, platform } = service;
    await vault('POST', 'sys/mounts/short', { type: 'kv-v2' });
    await vault('POST', 'short/config', { delete_version_after: '1s' });
    expect((await vault('POST', 'short/data/a', { data: { x: 1 } })).status).toBe(200);
    await eventually('the end of the version', async () => (await vault('GET', 'short/data/a')).status === 404);
    const state = openState(platform);
    const reference = { mount: await mountUuid(state, 'short/'), path: 'a' };
    const lastChange = async () => (await state.secrets.read(reference))?.lastChange;
    await runTimer(host, 'reconcile');
    await eventually('the note of it', async () => (await lastChange())?.kind === 'delete');
  });

  test('logs nothing of a secret', async () => {
    const secret = 'hunter2-over-the-wire';
    const { vault } = service;
    await vault('POST', 'sys/mounts/quiet', { type: 'kv-v2' });
    expect((await vault('POST', 'quiet/data/a', { data: { secret } })).status).toBe(200);
    for (const body of [{ data: secret }, { data: { secret }, options: { cas: secret } }, `{"data":{"a":"${secret}`]) {
      const { status, text } = await vault('POST', 'quiet/data/a', body);
      expect(status).toBe(400);
      expect(text).not.toContain(secret);
    }
    expect(logged.length).toBeGreaterThan(0);
    expect(JSON.stringify(logged)).not.toContain(secret);
  });
});
