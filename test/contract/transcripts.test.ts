import { beforeEach, describe, expect, test } from 'vitest';
import { type Answer, createHarness, type Harness, rootToken } from '../vault-api/support/harness.ts';
import { createSampleEngine } from '../vault-api/support/sample-engine.ts';

let harness: Harness;

beforeEach(async () => {
  harness = await createHarness({ engines: [createSampleEngine()] });
});

interface Client {
  send(method: string, target: string, body?: unknown): Promise<Answer>;
}

/** The Go client, which the CLI and Terraform use: no Content-Type, writes with PUT. */
function goClient(token: string | null = rootToken): Client {
  const headers = { 'x-vault-request': 'true', 'accept-encoding': 'gzip', 'user-agent': 'Go-http-client/1.1' };
  return { send: (method, target, body) => harness.call(method, target, { token, headers, body }) };
}

function hvac(): Client {
  const headers = { 'x-vault-request': 'true', 'content-type': 'application/json', accept: '*/*' };
  return { send: (method, target, body) => harness.call(method, target, { headers, body }) };
}

const envelope = [
  'request_id',
  'lease_id',
  'renewable',
  'lease_duration',
  'data',
  'wrap_info',
  'warnings',
  'auth',
  'mount_type',
];

describe('vault CLI', () => {
  test('vault status', async () => {
    const cli = goClient(null);
    const status = await cli.send('GET', '/v1/sys/seal-status');
    expect(status.json).toMatchObject({
      type: 'shamir',
      initialized: true,
      sealed: false,
      t: 1,
      n: 1,
      version: '2.0.0+ent',
    });
    expect((await cli.send('GET', '/v1/sys/leader')).json).toMatchObject({ ha_enabled: false });
  });

  test('vault login and vault token lookup', async () => {
    const { status, json } = await goClient().send('GET', '/v1/auth/token/lookup-self');
    expect(status).toBe(200);
    expect(json.data).toMatchObject({
      id: rootToken,
      ttl: 0,
      policies: ['root'],
      renewable: false,
      accessor: 'root-accessor',
    });
  });

  test('vault secrets enable, list, tune and disable', async () => {
    const cli = goClient();
    const enable = {
      type: 'keymgmt',
      description: '',
      config: { options: null, default_lease_ttl: '0s', max_lease_ttl: '0s', force_no_cache: false },
      local: false,
      seal_wrap: false,
      external_entropy_access: false,
      options: null,
    };
    expect((await cli.send('POST', '/v1/sys/mounts/keymgmt', enable)).status).toBe(204);
    const again = await cli.send('POST', '/v1/sys/mounts/keymgmt', enable);
    expect(again).toMatchObject({ status: 400, json: { errors: ['path is already in use at keymgmt/'] } });
    const list = await cli.send('GET', '/v1/sys/mounts');
    expect(list.json.data).toMatchObject({
      'keymgmt/': { type: 'keymgmt', config: { default_lease_ttl: 0, max_lease_ttl: 0 }, options: null },
      'sys/': { type: 'system' },
    });
    expect((await cli.send('POST', '/v1/sys/mounts/keymgmt/tune', { default_lease_ttl: '0s' })).status).toBe(204);
    expect((await cli.send('DELETE', '/v1/sys/mounts/keymgmt')).status).toBe(204);
    expect((await cli.send('DELETE', '/v1/sys/mounts/keymgmt')).status).toBe(204);
  });

  test('vault write, write -f, read, list and delete', async () => {
    const cli = goClient();
    await cli.send('POST', '/v1/sys/mounts/keymgmt', { type: 'keymgmt' });
    expect((await cli.send('GET', '/v1/keymgmt/key?list=true')).status).toBe(404);
    expect((await cli.send('PUT', '/v1/keymgmt/key/a', { type: 'rsa-2048' })).status).toBe(204);
    expect((await cli.send('PUT', '/v1/keymgmt/key/a/rotate', 'null')).status).toBe(204);
    const read = await cli.send('GET', '/v1/keymgmt/key/a');
    expect(Object.keys(read.json)).toEqual(envelope);
    expect(read.json).toMatchObject({ data: { name: 'a' }, mount_type: 'keymgmt' });
    expect((await cli.send('GET', '/v1/keymgmt/key?list=true')).json.data).toEqual({ keys: ['a'] });
    expect((await cli.send('DELETE', '/v1/keymgmt/key/a')).status).toBe(204);
    // "No value found" is printed for exactly this.
    expect(await cli.send('GET', '/v1/keymgmt/key/a')).toMatchObject({ status: 404, json: { errors: [] } });
    const rotate = await cli.send('PUT', '/v1/keymgmt/key/a/rotate', 'null');
    expect(rotate).toMatchObject({ status: 404, json: { errors: ['there is no key "a"'] } });
  });

  test('vault write with strings for everything and repeated keys', async () => {
    const cli = goClient();
    await cli.send('POST', '/v1/sys/mounts/keymgmt', { type: 'keymgmt' });
    const { json } = await cli.send('PUT', '/v1/keymgmt/echo/a', {
      count: '2',
      flag: 'true',
      items: ['1', '2'],
      labels: ['client_id=a', 'client_secret=b', 'tenant_id=c'],
    });
    expect(json.data).toMatchObject({
      fields: {
        count: 2,
        flag: true,
        items: ['1', '2'],
        labels: { client_id: 'a', client_secret: 'b', tenant_id: 'c' },
      },
    });
  });

  test('vault kv asks where a mount ends', async () => {
    const cli = goClient();
    await cli.send('POST', '/v1/sys/mounts/keymgmt', { type: 'keymgmt' });
    const found = await cli.send('GET', '/v1/sys/internal/ui/mounts/keymgmt/my/app');
    expect(found.json.data).toMatchObject({ path: 'keymgmt/', type: 'keymgmt', options: null });
    expect((await cli.send('GET', '/v1/sys/internal/ui/mounts/secret/my/app')).status).toBe(403);
  });

  test('vault token capabilities', async () => {
    const body = { token: rootToken, path: 'keymgmt/key/a' };
    const { json } = await goClient().send('POST', '/v1/sys/capabilities-self', body);
    expect(json).toMatchObject({ data: { 'keymgmt/key/a': ['root'] }, capabilities: ['root'], warnings: null });
  });
});

describe('Terraform', () => {
  test('starts up with a token of its own and the version of the server', async () => {
    const { json: self } = await goClient().send('GET', '/v1/auth/token/lookup-self');
    expect(self.data).not.toHaveProperty('namespace_path');
    const child = await goClient().send('POST', '/v1/auth/token/create', {
      ttl: '1200s',
      explicit_max_ttl: '1200s',
      display_name: 'terraform',
      num_uses: 0,
      renewable: false,
      type: '',
      entity_alias: '',
    });
    const auth = child.json.auth as { client_token: string; policies: string[] };
    expect(auth.policies).toEqual(['root']);
    const { json } = await goClient(null).send('GET', '/v1/sys/seal-status');
    // Strict semver, or the provider panics; at least 2.0 and marked as Enterprise, or it hides resources.
    const [, major, metadata] = /^(\d+)\.\d+\.\d+\+(\w+)$/.exec(json.version as string) ?? [];
    expect(Number(major)).toBeGreaterThanOrEqual(2);
    expect(metadata).toBe('ent');
    const { json: after } = await goClient(auth.client_token).send('GET', '/v1/auth/token/lookup-self');
    expect(after.data).toMatchObject({ display_name: 'token-terraform', ttl: 1200 });
  });

  test('vault_mount from create to destroy', async () => {
    const terraform = goClient();
    const create = {
      type: 'keymgmt',
      description: 'Keys',
      config: { options: null, default_lease_ttl: '0s', max_lease_ttl: '0s', force_no_cache: false },
      local: false,
      seal_wrap: false,
      external_entropy_access: false,
      options: {},
    };
    expect((await terraform.send('POST', '/v1/sys/mounts/team/keys', create)).status).toBe(204);
    const { json } = await terraform.send('GET', '/v1/sys/mounts/team/keys');
    expect(json.data).toMatchObject({
      accessor: expect.stringMatching(/^keymgmt_/) as string,
      description: 'Keys',
      config: { default_lease_ttl: 0, max_lease_ttl: 0 },
      local: false,
      seal_wrap: false,
      external_entropy_access: false,
      type: 'keymgmt',
    });
    const tune = { default_lease_ttl: '0s', max_lease_ttl: '0s', options: {} };
    expect((await terraform.send('POST', '/v1/sys/mounts/team/keys/tune', tune)).status).toBe(204);
    expect((await terraform.send('DELETE', '/v1/sys/mounts/team/keys')).status).toBe(204);
    const gone = await terraform.send('GET', '/v1/sys/mounts/team/keys');
    expect(gone).toMatchObject({ status: 400, json: { errors: ['No secret engine mount at team/keys/'] } });
  });

  test('a resource of a mount that is gone is an error and not a missing resource', async () => {
    const answer = await goClient().send('GET', '/v1/keymgmt/key/a');
    expect(answer.status).toBe(404);
    expect(answer.json.errors).toEqual([expect.stringContaining('no handler for route')]);
  });
});

describe('hvac', () => {
  test('is_authenticated, is_initialized, is_sealed and read_health_status', async () => {
    const client = hvac();
    expect((await client.send('GET', '/v1/auth/token/lookup-self')).status).toBe(200);
    expect((await client.send('GET', '/v1/sys/init')).json.initialized).toBe(true);
    expect((await client.send('GET', '/v1/sys/seal-status')).json.sealed).toBe(false);
    expect(await client.send('HEAD', '/v1/sys/health')).toMatchObject({ status: 200 });
  });

  test('enable_secrets_engine with nulls, and list_mounted_secrets_engines', async () => {
    const client = hvac();
    const body = {
      type: 'keymgmt',
      description: null,
      config: null,
      options: null,
      plugin_name: null,
      local: false,
      seal_wrap: false,
    };
    expect((await client.send('POST', '/v1/sys/mounts/keymgmt', body)).status).toBe(204);
    const { json } = await client.send('GET', '/v1/sys/mounts');
    expect((json.data as Record<string, { options: unknown }>)['keymgmt/']?.options).toBeNull();
    expect(json['keymgmt/']).toMatchObject({ type: 'keymgmt' });
  });

  test('write, read, list and delete; its type of answer has no charset', async () => {
    const client = hvac();
    await client.send('POST', '/v1/sys/mounts/keymgmt', { type: 'keymgmt' });
    expect((await client.send('POST', '/v1/keymgmt/key/a', { type: 'rsa-2048' })).status).toBe(204);
    expect((await client.send('GET', '/v1/keymgmt/key?list=True')).json.data).toEqual({ keys: ['a'] });
    expect((await client.send('LIST', '/v1/keymgmt/key')).json.data).toEqual({ keys: ['a'] });
    expect((await client.send('DELETE', '/v1/keymgmt/key/a')).status).toBe(204);
    const missing = await client.send('GET', '/v1/keymgmt/key/a');
    expect(missing.headers['Content-Type']).toBe('application/json');
  });
});
