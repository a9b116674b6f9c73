import { beforeEach, describe, expect, test } from 'vitest';
import { type Answer, createHarness, type Harness, sampleMount } from '../support/harness.ts';
import { createMemoryMountStore } from '../support/memory-stores.ts';
import { createSampleEngine, type SampleEngine } from '../support/sample-engine.ts';

const builtIn = [
  'keyfleet-administrator',
  'keyfleet-auditor',
  'keyfleet-key-operator',
  'keyfleet-reader',
  'keyfleet-secrets-operator',
  'keyfleet-signer',
];
const denied = { status: 403, json: { errors: ['1 error occurred:\n\t* permission denied\n\n'] } };
const readOnly = 'path "a" { capabilities = ["read"] }';

let engine: SampleEngine;
let harness: Harness;

beforeEach(async () => {
  engine = createSampleEngine();
  harness = await createHarness({
    engines: [engine],
    mounts: createMemoryMountStore([sampleMount(), sampleMount({ path: 'team/keys/', uuid: 'team' })]),
    existenceChecks: [
      {
        mountType: 'keymgmt',
        path: 'key/:name',
        exists: async ({ mount, parameters: { name = '' } }) => engine.things.get(mount.uuid)?.has(name) === true,
      },
    ],
  });
});

const write = (name: string, policy: unknown, method = 'PUT') =>
  harness.call(method, `/v1/sys/policies/acl/${name}`, { body: { policy } });

async function as(
  policy: string,
  ...more: string[]
): Promise<(method: string, path: string, body?: unknown) => Promise<Answer>> {
  expect((await write('tested', policy)).status).toBe(204);
  await harness.putToken('hvs.tested', { policies: ['tested', ...more], accessor: 'tested' });
  return (method, path, body) => harness.call(method, `/v1/${path}`, { token: 'hvs.tested', body });
}

describe('sys/policies/acl', () => {
  test('lists what exists always, and what was written', async () => {
    await write('zeta', readOnly);
    for (const [method, query] of [
      ['LIST', ''],
      ['GET', '?list=true'],
    ] as const) {
      const { json } = await harness.call(method, `/v1/sys/policies/acl${query}`);
      expect(json.data).toEqual({ keys: ['default', ...builtIn, 'root', 'zeta'] });
    }
  });

  test.each(['PUT', 'POST'])('%s, read and delete', async (method) => {
    expect((await write('ops', readOnly, method)).status).toBe(204);
    const { json } = await harness.call('GET', '/v1/sys/policies/acl/ops');
    expect(json.data).toEqual({ name: 'ops', policy: readOnly });
    expect(json).not.toHaveProperty('policy');
    expect((await harness.call('DELETE', '/v1/sys/policies/acl/ops')).status).toBe(204);
    expect((await harness.call('DELETE', '/v1/sys/policies/acl/ops')).status).toBe(204);
    const gone = await harness.call('GET', '/v1/sys/policies/acl/ops');
    expect(gone).toMatchObject({ status: 404, json: { errors: [] } });
  });

  test('a name in capitals is written in small letters, with a warning', async () => {
    const answer = await write('Ops-Team', readOnly);
    expect(answer).toMatchObject({ status: 200, json: { warnings: ['policy name was converted to ops-team'] } });
    for (const name of ['ops-team', 'Ops-Team']) {
      const { json } = await harness.call('GET', `/v1/sys/policies/acl/${name}`);
      expect(json.data).toEqual({ name: 'ops-team', policy: readOnly });
    }
  });

  test('base64 is decoded', async () => {
    await write('ops', Buffer.from(readOnly).toString('base64'));
    expect((await harness.call('GET', '/v1/sys/policies/acl/ops')).json.data).toMatchObject({ policy: readOnly });
  });

  test('a wildcard that is none is remarked on', async () => {
    const { status, json } = await write('ops', 'path "a/*/b" { capabilities = ["read"] }');
    expect([status, json.warnings]).toEqual([200, [expect.stringContaining('path "a/*/b"')]]);
  });

  test.each<[string, unknown, string]>([
    ['ops', undefined, "'policy' parameter not supplied or empty"],
    ['ops', '', "'policy' parameter not supplied or empty"],
    ['ops', 'path', 'failed to parse policy: line 1: unexpected the end'],
    ['ops', 'bm90IGEgcG9saWN5', 'failed to parse policy: line 1: unexpected the end'],
    ['ops', '#'.repeat(32_001), 'a policy can have at most 32000 characters'],
    ['root', readOnly, 'cannot update "root" policy'],
    ['Root', readOnly, 'cannot update "root" policy'],
    [
      'keyfleet-reader',
      readOnly,
      'cannot update "keyfleet-reader" policy: names that begin with "keyfleet-" are built in',
    ],
    ['keyfleet-x', readOnly, 'cannot update "keyfleet-x" policy: names that begin with "keyfleet-" are built in'],
  ])('writing %s %j is refused', async (name, policy, message) => {
    expect(await write(name, policy)).toMatchObject({ status: 400, json: { errors: [message] } });
  });

  test.each(['root', 'default', 'keyfleet-reader'])('%s cannot be deleted', async (name) => {
    const { status, json } = await harness.call('DELETE', `/v1/sys/policies/acl/${name}`);
    expect(status).toBe(400);
    expect(json.errors).toEqual([expect.stringContaining(`cannot delete "${name}" policy`)]);
  });

  test.each(['constructor', 'toString', '__proto__'])('%s is a name like any other', async (name) => {
    expect((await harness.call('GET', `/v1/sys/policies/acl/${name}`)).status).toBe(404);
    await harness.putToken('hvs.odd', { policies: [name] });
    expect(await harness.call('GET', '/v1/sys/mounts', { token: 'hvs.odd' })).toMatchObject(denied);
  });

  test('the default policy can be replaced', async () => {
    const before = (await harness.call('GET', '/v1/sys/policies/acl/default')).json.data as { policy: string };
    expect(before.policy).toContain('auth/token/lookup-self');
    await harness.putToken('hvs.default', { policies: ['default'] });
    const lookup = () => harness.call('GET', '/v1/auth/token/lookup-self', { token: 'hvs.default' });
    expect((await lookup()).status).toBe(200);
    await write('default', readOnly);
    expect(await lookup()).toMatchObject(denied);
  });
});

describe('sys/policy, as it was called before', () => {
  test('lists beside the envelope too', async () => {
    const { json } = await harness.call('GET', '/v1/sys/policy');
    const names = ['default', ...builtIn, 'root'];
    expect(json).toMatchObject({ data: { keys: names, policies: names }, keys: names, policies: names });
    expect((await harness.call('LIST', '/v1/sys/policy')).json.data).toEqual({ keys: names });
  });

  test('reads beside the envelope too', async () => {
    await write('ops', readOnly);
    const { json } = await harness.call('GET', '/v1/sys/policy/ops');
    expect(json).toMatchObject({ data: { name: 'ops', rules: readOnly }, name: 'ops', rules: readOnly });
    expect((await harness.call('GET', '/v1/sys/policy/root')).json.data).toEqual({ name: 'root', rules: '' });
  });

  test('writes by either name of the field', async () => {
    const put = (body: unknown) => harness.call('PUT', '/v1/sys/policy/ops', { body });
    expect((await put({ policy: readOnly })).status).toBe(204);
    const warnings = ["'rules' is deprecated, please use 'policy' instead"];
    expect(await put({ rules: readOnly })).toMatchObject({ status: 200, json: { warnings } });
    expect((await put({})).json.errors).toEqual(["'policy' parameter not supplied or empty"]);
    expect((await harness.call('DELETE', '/v1/sys/policy/ops')).status).toBe(204);
    expect((await harness.call('GET', '/v1/sys/policies/acl/ops')).status).toBe(404);
  });
});

describe('enforcement', () => {
  test('a change of a policy holds from the next request on', async () => {
    const call = await as('path "sys/mounts" { capabilities = ["read"] }');
    expect((await call('GET', 'sys/mounts')).status).toBe(200);
    await write('tested', 'path "sys/mounts" { capabilities = ["list"] }');
    expect(await call('GET', 'sys/mounts')).toMatchObject(denied);
    await harness.call('DELETE', '/v1/sys/policies/acl/tested');
    expect(await call('GET', 'sys/mounts')).toMatchObject(denied);
  });

  test.each<[string, string, string]>([
    ['read', 'GET', 'keymgmt/key/a'],
    ['list', 'LIST', 'keymgmt/key'],
    ['list', 'GET', 'keymgmt/key?list=true'],
    ['delete', 'DELETE', 'keymgmt/key/a'],
    ['update', 'POST', 'keymgmt/key/a/rotate'],
    ['update', 'PUT', 'sys/mounts/x/y'],
    ['patch', 'PATCH', 'keymgmt/key/a'],
  ])('%s alone allows %s %s', async (capability, method, path) => {
    await harness.call('PUT', '/v1/keymgmt/key/a');
    const others = ['create', 'read', 'update', 'patch', 'delete', 'list', 'sudo'].filter(
      (name) => name !== capability,
    );
    const without = await as(`path "*" { capabilities = ${JSON.stringify(others)} }`);
    expect(await without(method, path, {})).toMatchObject(denied);
    const call = await as(`path "*" { capabilities = ["${capability}"] }`);
    expect((await call(method, path, {})).status).not.toBe(403);
  });

  test('create makes what is not there, update changes what is', async () => {
    const creator = await as('path "keymgmt/key/*" { capabilities = ["create"] }');
    expect((await creator('PUT', 'keymgmt/key/a')).status).toBe(204);
    expect(await creator('PUT', 'keymgmt/key/a')).toMatchObject(denied);
    // Nobody can tell whether a rotation exists: it is an update.
    expect(await creator('PUT', 'keymgmt/key/a/rotate')).toMatchObject(denied);
    const updater = await as('path "keymgmt/key/*" { capabilities = ["update"] }');
    expect((await updater('PUT', 'keymgmt/key/a')).status).toBe(204);
    expect(await updater('PUT', 'keymgmt/key/b')).toMatchObject(denied);
    expect(await updater('PUT', 'nope/key/b')).toMatchObject(denied);
  });

  test('a deny wins over every other policy for the path', async () => {
    await write('open', 'path "keymgmt/*" { capabilities = ["read", "list"] }');
    const call = await as('path "keymgmt/*" { capabilities = ["deny"] }', 'open');
    expect(await call('GET', 'keymgmt/key/a')).toMatchObject(denied);
  });

  test('what is denied looks the same whether it exists or not', async () => {
    const call = await as('path "x" { capabilities = ["read"] }');
    await harness.call('PUT', '/v1/keymgmt/key/a');
    const bodies = await Promise.all(
      ['keymgmt/key/a', 'keymgmt/key/b', 'keymgmt/nope', 'nope/key/a'].map(
        async (path) => (await call('GET', path)).body,
      ),
    );
    expect(new Set(bodies).size).toBe(1);
  });

  test('help needs a token and no policy, and never does anything', async () => {
    const call = await as('path "x" { capabilities = ["read"] }');
    expect((await call('PUT', 'keymgmt/key/a?help=1')).status).toBe(200);
    expect((await harness.call('GET', '/v1/keymgmt/key/a')).status).toBe(404);
  });
});

describe('what a caller is told about itself', () => {
  test('capabilities are those that decide', async () => {
    const call = await as(`
      path "keymgmt/key/*" { capabilities = ["update", "create", "read"] }
      path "keymgmt/key/x" { capabilities = ["deny"] }
      path "keymgmt/key" { capabilities = ["list"] }
      path "sys/capabilities-self" { capabilities = ["update"] }
    `);
    const paths = ['keymgmt/key/a', '/keymgmt/key/a', 'keymgmt/key/x', 'keymgmt/key', 'keymgmt/key/', 'other'];
    const { json } = await call('POST', 'sys/capabilities-self', { paths });
    expect(json.data).toEqual({
      'keymgmt/key/a': ['create', 'read', 'update'],
      '/keymgmt/key/a': ['create', 'read', 'update'],
      'keymgmt/key/x': ['deny'],
      'keymgmt/key': ['list'],
      'keymgmt/key/': ['list'],
      other: ['deny'],
    });
    const many = { paths: Array.from({ length: 101 }, (_, index) => `a${index}`) };
    expect((await call('POST', 'sys/capabilities-self', many)).json.errors).toEqual([
      'at most 100 paths can be asked about',
    ]);
  });

  test('mounts are shown where anything below them is allowed', async () => {
    const call = await as(`
      path "team/keys/key/a" { capabilities = ["read"] }
      path "keymgmt/*" { capabilities = ["deny"] }
      path "sys/internal/ui/mounts" { capabilities = ["read"] }
    `);
    const { json } = await call('GET', 'sys/internal/ui/mounts');
    expect(Object.keys((json.data as { secret: object }).secret)).toEqual(['team/keys/']);
    expect((await call('GET', 'sys/internal/ui/mounts/team/keys/key/x')).status).toBe(200);
    expect((await call('GET', 'sys/internal/ui/mounts/keymgmt')).status).toBe(403);
  });
});

describe('built-in policies', () => {
  const asRole = async (policy: string) => {
    await harness.putToken('hvs.role', { policies: [policy], accessor: policy });
    return (method: string, path: string) => harness.call(method, `/v1/${path}`, { token: 'hvs.role' });
  };

  test('hold for every mount of their type, wherever it is', async () => {
    const call = await asRole('keyfleet-key-operator');
    for (const mount of ['keymgmt', 'team/keys']) {
      expect((await call('PUT', `${mount}/key/a`)).status).toBe(204);
      expect((await call('GET', `${mount}/key/a`)).status).toBe(200);
    }
    expect(await call('PUT', 'other/key/a')).toMatchObject(denied);
    expect(await call('PUT', 'sys/mounts/a/b/c')).toMatchObject(denied);
  });

  test('and for one that is mounted later, and no longer', async () => {
    const call = await asRole('keyfleet-signer');
    expect(await call('GET', 'a/b/c/key/x')).toMatchObject(denied);
    await harness.call('POST', '/v1/sys/mounts/a/b/c', { body: { type: 'keymgmt' } });
    expect(await call('GET', 'a/b/c/key/x')).toMatchObject({ status: 404, json: { errors: [] } });
    expect(await call('GET', 'a/b/c/key/x/y')).toMatchObject(denied);
    await harness.call('DELETE', '/v1/sys/mounts/a/b/c');
    expect(await call('GET', 'a/b/c/key/x')).toMatchObject(denied);
  });

  test('a written policy that looks like one of theirs means what it says', async () => {
    const call = await as('path "<keymgmt>/*" { capabilities = ["read"] }');
    expect(await call('GET', 'keymgmt/key/a')).toMatchObject(denied);
  });
});
