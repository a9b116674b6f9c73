import { beforeEach, describe, expect, test } from 'vitest';
import { KeyfleetError } from '../../src/errors.ts';
import type { MountStore } from '../../src/state/mounts.ts';
import { type Answer, createHarness, type Harness, plainToken, sampleMount } from './support/harness.ts';
import { createMemoryMountStore } from './support/memory-stores.ts';
import { createSampleEngine, type SampleEngine } from './support/sample-engine.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

let engine: SampleEngine;
let mounts: MountStore;
let harness: Harness;

beforeEach(async () => {
  engine = createSampleEngine();
  mounts = createMemoryMountStore();
  harness = await createHarness({ engines: [engine, createSampleEngine('other')], mounts });
});

function errorsOf({ status, json }: Answer): unknown {
  return { status, errors: json.errors };
}

const enable = (path: string, body: unknown = { type: 'keymgmt' }) =>
  harness.call('POST', `/v1/sys/mounts/${path}`, { body });

const systemView = {
  accessor: expect.stringMatching(/^system_[0-9a-f]{8}$/) as string,
  config: { default_lease_ttl: 0, force_no_cache: false, max_lease_ttl: 0 },
  deprecation_status: 'supported',
  description: 'system endpoints used for control, policy and debugging',
  external_entropy_access: false,
  local: false,
  options: null,
  plugin_version: '',
  running_plugin_version: 'v2.0.0+ent',
  running_sha256: '',
  seal_wrap: true,
  type: 'system',
  uuid: expect.stringMatching(uuid) as string,
};

const keymgmtView = {
  ...systemView,
  accessor: expect.stringMatching(/^keymgmt_[0-9a-f]{8}$/) as string,
  description: '',
  seal_wrap: false,
  type: 'keymgmt',
};

describe('reading mounts', () => {
  test('a fresh service has the system alone, in the envelope and beside it', async () => {
    const { status, json } = await harness.call('GET', '/v1/sys/mounts');
    expect(status).toBe(200);
    expect(json).toEqual({
      'sys/': systemView,
      request_id: expect.stringMatching(uuid) as string,
      lease_id: '',
      renewable: false,
      lease_duration: 0,
      data: { 'sys/': systemView },
      wrap_info: null,
      warnings: null,
      auth: null,
      mount_type: 'system',
    });
  });

  test('a mount is the same from every side', async () => {
    await enable('team/a/keys', { type: 'keymgmt', description: 'Keys of team A', config: { max_lease_ttl: '1h' } });
    const all = await harness.call('GET', '/v1/sys/mounts');
    const one = await harness.call('GET', '/v1/sys/mounts/team/a/keys');
    const ui = await harness.call('GET', '/v1/sys/internal/ui/mounts');
    const preflight = await harness.call('GET', '/v1/sys/internal/ui/mounts/team/a/keys/key/x');
    const expected = {
      ...keymgmtView,
      description: 'Keys of team A',
      config: { default_lease_ttl: 0, force_no_cache: false, max_lease_ttl: 3600 },
    };
    expect(one.json.data).toEqual(expected);
    expect(one.json).toMatchObject(expected);
    expect(all.json.data).toEqual({ 'sys/': systemView, 'team/a/keys/': one.json.data });
    expect(ui.json.data).toEqual({ auth: {}, secret: { 'team/a/keys/': one.json.data } });
    expect(preflight.json.data).toEqual({ ...(one.json.data as object), path: 'team/a/keys/' });
  });

  test('the system mount keeps its identity for as long as the cluster does', async () => {
    const again = await createHarness();
    const [first, second] = [
      await harness.call('GET', '/v1/sys/mounts/sys'),
      await again.call('GET', '/v1/sys/mounts/sys'),
    ];
    expect(first.json.data).toEqual(second.json.data);
  });

  test.each([
    ['nope', 'nope/'],
    ['keymgmt/x', 'keymgmt/x/'],
  ])('no mount at %s is a 400', async (path, named) => {
    await enable('keymgmt');
    const answer = await harness.call('GET', `/v1/sys/mounts/${path}`);
    expect(errorsOf(answer)).toEqual({ status: 400, errors: [`No secret engine mount at ${named}`] });
  });

  test.each(['nope', 'nope/my/app', 'keymgm'])('the preflight of %s is a 403', async (path) => {
    await enable('keymgmt');
    const errors = [
      `preflight capability check returned 403, please ensure client's policies grant access to path "${path}/"`,
    ];
    expect(errorsOf(await harness.call('GET', `/v1/sys/internal/ui/mounts/${path}`))).toEqual({ status: 403, errors });
  });

  test('the preflight tells a caller without rights nothing', async () => {
    await enable('keymgmt');
    const answers = ['keymgmt', 'nope'].map((path) =>
      harness.call('GET', `/v1/sys/internal/ui/mounts/${path}`, { token: plainToken }),
    );
    const [real, none] = await Promise.all(answers);
    expect(real?.status).toBe(403);
    expect(real?.json.errors).toEqual([expect.stringContaining('preflight capability check returned 403')]);
    expect(real?.body?.replace('keymgmt', 'nope')).toBe(none?.body);
  });
});

describe('enabling', () => {
  test('with what the CLI sends', async () => {
    const config = { options: null, default_lease_ttl: '0s', max_lease_ttl: '0s', force_no_cache: false };
    const body = {
      type: 'keymgmt',
      description: '',
      config,
      local: false,
      seal_wrap: false,
      external_entropy_access: false,
      options: null,
    };
    expect((await enable('keymgmt', body)).status).toBe(204);
    expect((await harness.call('GET', '/v1/sys/mounts/keymgmt')).json.data).toEqual(keymgmtView);
  });

  test('keeps what it was told', async () => {
    const config = { default_lease_ttl: 60, max_lease_ttl: '2d', force_no_cache: 'true' };
    const body = {
      type: 'keymgmt',
      description: 'd',
      config,
      local: true,
      seal_wrap: 1,
      external_entropy_access: 't',
      options: ['a=b'],
    };
    await enable('keymgmt', body);
    expect((await harness.call('GET', '/v1/sys/mounts/keymgmt')).json.data).toMatchObject({
      description: 'd',
      config: { default_lease_ttl: 60, max_lease_ttl: 172_800, force_no_cache: true },
      local: true,
      seal_wrap: true,
      external_entropy_access: true,
      options: { a: 'b' },
    });
  });

  test('every mount has an identity of its own, also at a path used before', async () => {
    const identities = new Set<unknown>();
    for (let round = 0; round < 3; round++) {
      await enable('keymgmt');
      const { data } = (await harness.call('GET', '/v1/sys/mounts/keymgmt')).json as {
        data: { uuid: string; accessor: string };
      };
      identities.add(data.uuid).add(data.accessor);
      await harness.call('DELETE', '/v1/sys/mounts/keymgmt');
    }
    expect(identities.size).toBe(6);
  });

  const inConfig = (name: string, value: unknown) => ({ type: 'keymgmt', config: { [name]: value } });

  test.each<[string, unknown, string]>([
    ['a', {}, 'backend type must be specified as a string'],
    ['a', { type: '' }, 'backend type must be specified as a string'],
    ['a', null, 'backend type must be specified as a string'],
    ['a', { type: 'nope' }, 'plugin not found in the catalog: nope'],
    ['a', { type: 'keymgmt', options: { version: '2' } }, 'secrets engine "keymgmt" does not allow setting a version'],
    ['a', inConfig('default_lease_ttl', 'soon'), 'unable to parse default TTL of soon'],
    ['a', inConfig('max_lease_ttl', '-1h'), 'unable to parse max TTL of -1h'],
    ['a', inConfig('default_lease_ttl', '40d'), 'given default lease TTL greater than system max lease TTL of 2764800'],
    [
      'a',
      { type: 'keymgmt', config: { default_lease_ttl: '2h', max_lease_ttl: '1h' } },
      'given default lease TTL greater than given max lease TTL',
    ],
    ['a', inConfig('listing_visibility', 'unauth'), 'listing_visibility is not supported'],
    ['a', inConfig('audit_non_hmac_request_keys', ['a']), 'audit_non_hmac_request_keys is not supported'],
    ['a', { type: 'keymgmt', plugin_version: 'v1.0.0' }, 'plugin_version is not supported'],
    [
      'a',
      { type: 'keymgmt', config: 'x' },
      'Field validation failed: error converting input for field "config": expected a map, got a string',
    ],
    [
      'a',
      inConfig('force_no_cache', 'x'),
      'Field validation failed: error converting input for field "force_no_cache": expected a boolean, got a string',
    ],
    ['sys', { type: 'keymgmt' }, 'cannot mount "sys/"'],
    ['sys/x', { type: 'keymgmt' }, 'cannot mount "sys/x/"'],
    ['auth/token', { type: 'keymgmt' }, 'cannot mount "auth/token/"'],
    ['cubbyhole', { type: 'keymgmt' }, 'cannot mount "cubbyhole/"'],
    ['identity', { type: 'keymgmt' }, 'cannot mount "identity/"'],
    ['audit', { type: 'keymgmt' }, 'cannot mount "audit/"'],
    ['a/b/tune/tune', { type: 'keymgmt' }, 'cannot fetch sysview for path "a/b/tune/"'],
    [
      'a%20b',
      { type: 'keymgmt' },
      'mount path must be at most 200 characters in segments of letters, digits, "_", "-" and "."',
    ],
    [
      'a/-b',
      { type: 'keymgmt' },
      'mount path must be at most 200 characters in segments of letters, digits, "_", "-" and "."',
    ],
    [
      'a'.repeat(201),
      { type: 'keymgmt' },
      'mount path must be at most 200 characters in segments of letters, digits, "_", "-" and "."',
    ],
    ['a/', { type: 'keymgmt' }, "cannot write to a path ending in '/'"],
  ])('%s with %j is refused', async (path, body, message) => {
    expect(errorsOf(await enable(path, body))).toEqual({ status: 400, errors: [message] });
    expect((await mounts.read()).mounts).toEqual([]);
  });

  test.each<[string, string, string]>([
    ['keymgmt', 'keymgmt', 'keymgmt/'],
    ['team', 'team/keys', 'team/'],
    ['team/keys', 'team', 'team/keys/'],
  ])('%s is in the way of %s', async (existing, wanted, named) => {
    await enable(existing);
    expect(errorsOf(await enable(wanted))).toEqual({ status: 400, errors: [`path is already in use at ${named}`] });
  });

  test('neighbours whose names begin alike are not in the way', async () => {
    await enable('team/keys');
    expect((await enable('team/keys2')).status).toBe(204);
    expect((await enable('tea')).status).toBe(204);
    expect((await enable('system')).status).toBe(204);
  });

  test('what clients send empty by default is accepted', async () => {
    const config = {
      audit_non_hmac_request_keys: [],
      audit_non_hmac_response_keys: null,
      listing_visibility: '',
      passthrough_request_headers: [],
      identity_token_key: 'default',
      max_lease_ttl: 'system',
      default_lease_ttl: '',
    };
    expect((await enable('keymgmt', { type: 'keymgmt', config, plugin_name: null, plugin_version: '' })).status).toBe(
      204,
    );
    expect((await enable('other', { type: 'other', config: { listing_visibility: 'hidden' } })).status).toBe(204);
  });

  test('two at a time at one path: one wins, the other is told so', async () => {
    const statuses = (await Promise.all([enable('keymgmt'), enable('keymgmt')])).map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([204, 400]);
    expect((await mounts.read()).mounts).toHaveLength(1);
  });

  test('two at a time at different paths both win', async () => {
    const statuses = (await Promise.all([enable('a'), enable('b'), enable('c')])).map(({ status }) => status);
    expect(statuses).toEqual([204, 204, 204]);
    expect((await mounts.read()).mounts.map(({ path }) => path).toSorted()).toEqual(['a/', 'b/', 'c/']);
  });

  test('a table that never stands still is unavailable', async () => {
    const busy = await createHarness({ engines: [engine], mounts: { ...mounts, insert: async () => false } });
    const answer = await busy.call('POST', '/v1/sys/mounts/a', { body: { type: 'keymgmt' } });
    expect(errorsOf(answer)).toEqual({ status: 503, errors: ['the mounts are being changed by others: try again'] });
  });
});

describe('disabling', () => {
  test('takes the data along, and asking again is no error', async () => {
    await enable('keymgmt');
    const { uuid: id } = (await mounts.read()).mounts[0] ?? {};
    expect((await harness.call('DELETE', '/v1/sys/mounts/keymgmt')).status).toBe(204);
    expect(engine.removedMounts).toEqual([id]);
    expect((await mounts.read()).mounts).toEqual([]);
    expect((await harness.call('DELETE', '/v1/sys/mounts/keymgmt')).status).toBe(204);
    expect(engine.removedMounts).toHaveLength(1);
    expect((await harness.call('GET', '/v1/keymgmt/key/a')).json.errors).toEqual([
      'no handler for route "keymgmt/key/a". route entry not found.',
    ]);
  });

  test('needs the whole path of a mount', async () => {
    await enable('team/keys');
    await harness.call('DELETE', '/v1/sys/mounts/team');
    await harness.call('DELETE', '/v1/sys/mounts/team/keys/key');
    expect((await mounts.read()).mounts).toHaveLength(1);
  });

  test('is refused as the engine refuses it, with nothing gone', async () => {
    await enable('keymgmt');
    await harness.call('PUT', '/v1/keymgmt/key/a');
    engine.failure = new KeyfleetError('conflict', '1 key is still distributed: remove it from kms "west" first');
    const answer = await harness.call('DELETE', '/v1/sys/mounts/keymgmt');
    expect(errorsOf(answer)).toEqual({
      status: 400,
      errors: ['1 key is still distributed: remove it from kms "west" first'],
    });
    expect((await harness.call('GET', '/v1/keymgmt/key/a')).status).toBe(200);
    expect(engine.removedMounts).toEqual([]);
  });

  test('the system is refused', async () => {
    const answer = await harness.call('DELETE', '/v1/sys/mounts/sys');
    expect(errorsOf(answer)).toEqual({ status: 400, errors: ['cannot unmount "sys/"'] });
  });

  test('a mount that another request replaced meanwhile is decided anew', async () => {
    await enable('keymgmt');
    let interfered = false;
    const racing = await createHarness({
      engines: [engine],
      mounts: {
        ...mounts,
        async remove(path, revision) {
          if (!interfered) {
            interfered = true;
            await mounts.insert(sampleMount({ path: 'else/', uuid: 'else' }), revision);
          }
          return mounts.remove(path, revision);
        },
      },
    });
    expect((await racing.call('DELETE', '/v1/sys/mounts/keymgmt')).status).toBe(204);
    expect((await mounts.read()).mounts.map(({ path }) => path)).toEqual(['else/']);
  });

  test('a mount whose engine is gone stays', async () => {
    const other = await createHarness({ mounts: createMemoryMountStore([sampleMount({ type: 'transit' })]) });
    expect(errorsOf(await other.call('DELETE', '/v1/sys/mounts/keymgmt'))).toEqual({
      status: 503,
      errors: ['no engine of type "transit" is running'],
    });
  });
});

describe('capabilities', () => {
  const ask = (body: unknown) => harness.call('POST', '/v1/sys/capabilities-self', { body });

  test.each<[unknown, unknown]>([
    [
      { path: 'keymgmt/key/a', token: 'hvs.x' },
      { capabilities: ['root'], 'keymgmt/key/a': ['root'] },
    ],
    [{ paths: ['a'] }, { capabilities: ['root'], a: ['root'] }],
    [{ paths: 'a,b' }, { a: ['root'], b: ['root'] }],
    [
      { paths: ['a', 'b'], path: 'c' },
      { a: ['root'], b: ['root'] },
    ],
  ])('of %j', async (body, expected) => {
    const { status, json } = await ask(body);
    expect(status).toBe(200);
    expect(json.data).toEqual(expected);
    expect(json).toMatchObject(expected as object);
    expect(json.warnings).toBeNull();
  });

  test('of nothing are refused', async () => {
    expect(errorsOf(await ask({}))).toEqual({ status: 400, errors: ['paths must be supplied'] });
  });

  test('of paths named like the fields of an envelope leave the envelope whole', async () => {
    const { json } = await ask({ paths: ['data', 'auth', 'request_id', '__proto__'] });
    expect(json.auth).toBeNull();
    expect(json.request_id).toMatch(uuid);
    expect(Object.keys(json.data as object)).toEqual(['data', 'auth', 'request_id', '__proto__']);
  });
});
