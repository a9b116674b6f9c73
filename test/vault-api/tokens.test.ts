import { beforeEach, describe, expect, test } from 'vitest';
import { createHarness, type Harness, plainToken, rootToken, start } from './support/harness.ts';

let harness: Harness;

beforeEach(async () => {
  harness = await createHarness();
});

const after = (seconds: number) => new Date(start.getTime() + seconds * 1000);
const as = (token: string) => ({ token });

interface Auth {
  client_token: string;
  accessor: string;
}

async function create(body: unknown, token = rootToken): Promise<Auth> {
  const { status, json } = await harness.call('POST', '/v1/auth/token/create', { body, token });
  expect(status).toBe(200);
  return json.auth as Auth;
}

const dataOf = async (token: string) => (await harness.call('GET', '/v1/auth/token/lookup-self', as(token))).json.data;

describe('looking up', () => {
  const rootView = {
    accessor: 'root-accessor',
    creation_time: 1_772_366_400,
    creation_ttl: 0,
    display_name: 'root',
    entity_id: '',
    expire_time: null,
    explicit_max_ttl: 0,
    id: rootToken,
    issue_time: '2026-03-01T12:00:00.250Z',
    meta: null,
    num_uses: 0,
    orphan: true,
    path: 'auth/token/root',
    policies: ['root'],
    renewable: false,
    ttl: 0,
    type: 'service',
  };

  test.each(['GET', 'POST', 'PUT'])('%s lookup-self shows the caller', async (method) => {
    const { status, json } = await harness.call(method, '/v1/auth/token/lookup-self');
    expect(status).toBe(200);
    expect(json).toEqual({
      request_id: expect.any(String) as string,
      lease_id: '',
      renewable: false,
      lease_duration: 0,
      data: rootView,
      wrap_info: null,
      warnings: null,
      auth: null,
      mount_type: 'token',
    });
  });

  test('shows what is left of a token', async () => {
    await harness.putToken('hvs.short', {
      expireTime: after(3600),
      creationTtlSeconds: 3600,
      renewable: true,
      meta: { team: 'a' },
    });
    harness.clock.now = after(600.5);
    expect(await dataOf('hvs.short')).toMatchObject({
      creation_ttl: 3600,
      expire_time: '2026-03-01T13:00:00.250Z',
      ttl: 2999,
      renewable: true,
      meta: { team: 'a' },
    });
  });

  test('shows another token', async () => {
    const { json } = await harness.call('POST', '/v1/auth/token/lookup', { body: { token: plainToken } });
    expect(json.data).toEqual({ ...rootView, id: plainToken, accessor: 'plain-accessor', policies: ['default'] });
  });

  test.each([
    [{ token: 'hvs.none' }, 403, 'bad token'],
    [{ token: 'hvs.old' }, 403, 'bad token'],
    [{}, 400, 'missing token in request'],
  ])('%j finds none', async (body, status, message) => {
    await harness.putToken('hvs.old', { expireTime: start });
    const answer = await harness.call('POST', '/v1/auth/token/lookup', { body });
    expect(answer).toMatchObject({ status, json: { errors: [message] } });
  });
});

describe('creating', () => {
  test('with what Terraform sends', async () => {
    const body = {
      ttl: '1200s',
      explicit_max_ttl: '1200s',
      display_name: 'terraform',
      num_uses: 0,
      renewable: false,
      type: '',
      entity_alias: '',
    };
    const { status, json } = await harness.call('POST', '/v1/auth/token/create', { body });
    const auth = json.auth as Auth;
    expect(status).toBe(200);
    expect(json).toMatchObject({ data: null, warnings: null, mount_type: 'token' });
    expect(auth).toEqual({
      client_token: expect.stringMatching(/^hvs\.[\w-]{32}$/) as string,
      accessor: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      policies: ['root'],
      token_policies: ['root'],
      identity_policies: null,
      metadata: null,
      lease_duration: 1200,
      renewable: false,
      entity_id: '',
      token_type: 'service',
      orphan: true,
      mfa_requirement: null,
      num_uses: 0,
    });
    expect(await dataOf(auth.client_token)).toMatchObject({
      accessor: auth.accessor,
      display_name: 'token-terraform',
      path: 'auth/token/create',
      ttl: 1200,
      orphan: true,
    });
    harness.clock.now = after(1200);
    expect((await harness.call('GET', '/v1/sys/mounts', as(auth.client_token))).status).toBe(403);
  });

  test.each<[unknown, object]>([
    [{}, { policies: ['root'], ttl: 0, expire_time: null, renewable: false, display_name: 'token', meta: null }],
    [{ policies: ['Dev', 'ops'] }, { policies: ['default', 'dev', 'ops'], ttl: 2_764_800, renewable: true }],
    [
      { policies: 'dev', no_default_policy: true, ttl: '1h' },
      { policies: ['dev'], ttl: 3600 },
    ],
    [
      { policies: ['root', 'dev'], ttl: '1h' },
      { policies: ['dev', 'root'], ttl: 3600, renewable: true },
    ],
    [{ ttl: '90d' }, { ttl: 2_764_800 }],
    [
      { ttl: '2h', explicit_max_ttl: '1h', renewable: 'false' },
      { ttl: 3600, renewable: false },
    ],
    [
      { display_name: 'a b/c', meta: { team: 'a' }, type: 'service' },
      { display_name: 'token-a-b-c', meta: { team: 'a' } },
    ],
  ])('from %j', async (body, expected) => {
    const { client_token } = await create(body);
    const { json } = await harness.call('POST', '/v1/auth/token/lookup', { body: { token: client_token } });
    expect(json.data).toMatchObject(expected);
  });

  test('no token lives longer than the one that made it', async () => {
    await harness.putToken('hvs.short', { expireTime: after(600), creationTtlSeconds: 600 });
    expect(await dataOf((await create({}, 'hvs.short')).client_token)).toMatchObject({ ttl: 600 });
    expect(await dataOf((await create({ ttl: '1h' }, 'hvs.short')).client_token)).toMatchObject({ ttl: 600 });
    expect(await dataOf((await create({ ttl: '1m' }, 'hvs.short')).client_token)).toMatchObject({ ttl: 60 });
  });

  test.each<[unknown, string]>([
    [{ type: 'batch' }, 'only service tokens are supported'],
    [{ num_uses: 1 }, 'num_uses is not supported'],
    [{ period: '1h' }, 'period is not supported'],
    [{ entity_alias: 'a' }, 'entity_alias is not supported'],
    [{ id: 'hvs.mine' }, 'id is not supported'],
    [{ explicit_max_ttl: '1h' }, 'explicit_max_ttl is supported with renewable=false only'],
    [
      { ttl: 'soon' },
      'Field validation failed: error converting input for field "ttl": expected a duration, got a string',
    ],
  ])('what cannot be promised is refused: %j', async (body, message) => {
    const answer = await harness.call('POST', '/v1/auth/token/create', { body });
    expect(answer).toMatchObject({ status: 400, json: { errors: [message] } });
  });

  test('no two tokens are the same', async () => {
    const tokens = await Promise.all(Array.from({ length: 20 }, () => create({ ttl: '1h' })));
    expect(new Set(tokens.flatMap(({ client_token, accessor }) => [client_token, accessor])).size).toBe(40);
  });
});

describe('renewing', () => {
  const renew = (token: string, body?: unknown) => harness.call('POST', '/v1/auth/token/renew-self', { token, body });

  test.each<[unknown, number]>([
    [undefined, 3600],
    [{}, 3600],
    [{ increment: '30m' }, 1800],
    [{ increment: 0 }, 3600],
    [{ increment: '90d' }, 2_764_800 - 600],
  ])('with %j gives new time from now on', async (body, ttl) => {
    await harness.putToken('hvs.short', { expireTime: after(3600), creationTtlSeconds: 3600, renewable: true });
    harness.clock.now = after(600);
    const { status, json } = await renew('hvs.short', body);
    expect(status).toBe(200);
    expect(json.auth).toMatchObject({ client_token: 'hvs.short', lease_duration: ttl, renewable: true });
    expect(await dataOf('hvs.short')).toMatchObject({ ttl, creation_ttl: 3600 });
  });

  test('takes nothing from a token that was made to live longer', async () => {
    const day = 86_400;
    await harness.putToken('hvs.long', { expireTime: after(90 * day), creationTtlSeconds: 90 * day, renewable: true });
    harness.clock.now = after(60 * day);
    expect((await renew('hvs.long')).json.auth).toMatchObject({ lease_duration: 30 * day });
  });

  test('is refused to tokens that are not renewable', async () => {
    await harness.putToken('hvs.fixed', { expireTime: after(3600), creationTtlSeconds: 3600 });
    for (const token of [rootToken, 'hvs.fixed']) {
      expect(await renew(token)).toMatchObject({ status: 400, json: { errors: ['lease is not renewable'] } });
    }
  });

  test('cannot bring back what has expired', async () => {
    await harness.putToken('hvs.short', { expireTime: after(10), creationTtlSeconds: 10, renewable: true });
    harness.clock.now = after(10);
    expect((await renew('hvs.short')).status).toBe(403);
  });
});

test('revoking ends the calling token alone', async () => {
  const { client_token } = await create({ ttl: '1h' });
  expect((await harness.call('PUT', '/v1/auth/token/revoke-self', as(client_token))).status).toBe(204);
  expect((await harness.call('GET', '/v1/auth/token/lookup-self', as(client_token))).status).toBe(403);
  expect((await harness.call('GET', '/v1/auth/token/lookup-self')).status).toBe(200);
});
