import { beforeEach, describe, expect, test } from 'vitest';
import {
  type CallOptions,
  createHarness,
  type Harness,
  plainToken,
  rootToken,
  sampleMount,
  start,
} from './support/harness.ts';
import { createMemoryMountStore } from './support/memory-stores.ts';
import { createSampleEngine } from './support/sample-engine.ts';

const none = { errors: ['permission denied'] };
const unknown = { errors: ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'] };
const denied = { errors: ['1 error occurred:\n\t* permission denied\n\n'] };

let harness: Harness;

beforeEach(async () => {
  harness = await createHarness({
    engines: [createSampleEngine()],
    mounts: createMemoryMountStore([sampleMount()]),
  });
});

describe('tokens', () => {
  test.each<[string, CallOptions, number]>([
    ['X-Vault-Token', {}, 200],
    ['Authorization: Bearer', { token: null, headers: { authorization: `Bearer ${rootToken}` } }, 200],
    ['X-Vault-Token before Authorization', { headers: { authorization: 'Bearer other' } }, 200],
    [
      'Authorization when X-Vault-Token is empty',
      { token: '', headers: { authorization: `Bearer ${rootToken}` } },
      200,
    ],
    ['bearer in lower case', { token: null, headers: { authorization: `bearer ${rootToken}` } }, 403],
    ['Basic', { token: null, headers: { authorization: 'Basic YTpi' } }, 403],
    ['nothing after Bearer', { token: null, headers: { authorization: 'Bearer ' } }, 403],
  ])('%s', async (_what, options, status) => {
    const answer = await harness.call('GET', '/v1/auth/token/lookup-self', options);
    expect(answer.status).toBe(status);
    if (status === 403) expect(answer.json).toEqual(none);
  });

  test('that are unknown, expired or revoked look alike', async () => {
    await harness.putToken('hvs.short', { expireTime: new Date(start.getTime() + 1000) });
    expect((await harness.call('GET', '/v1/sys/mounts', { token: 'hvs.short' })).status).toBe(200);
    harness.clock.now = new Date(start.getTime() + 1000);
    expect(await harness.call('GET', '/v1/sys/mounts', { token: 'hvs.short' })).toMatchObject({
      status: 403,
      json: unknown,
    });
    expect(await harness.call('GET', '/v1/sys/mounts', { token: 'hvs.none' })).toMatchObject({
      status: 403,
      json: unknown,
    });
    await harness.call('POST', '/v1/auth/token/revoke-self');
    expect(await harness.call('GET', '/v1/sys/mounts')).toMatchObject({ status: 403, json: unknown });
  });

  test.each<[string, Record<string, string>, string]>([
    ['X-Vault-Token', { 'x-vault-token': `${rootToken},${plainToken}` }, 'X-Vault-Token'],
    ['the same X-Vault-Token', { 'x-vault-token': `${rootToken},${rootToken}` }, 'X-Vault-Token'],
    ['Authorization', { authorization: `Bearer ${rootToken},Bearer ${rootToken}` }, 'Authorization'],
  ])('%s sent twice is refused', async (_what, headers, name) => {
    const answer = await harness.call('GET', '/v1/sys/mounts', { token: null, headers });
    const errors = [`header ${name} was sent more than once`];
    expect(answer).toMatchObject({ status: 400, json: { errors } });
  });

  test('without a policy that says otherwise are denied everything', async () => {
    for (const path of ['/v1/sys/mounts', '/v1/keymgmt/key/a', '/v1/nope/x', '/v1/auth/token/lookup']) {
      expect(await harness.call('GET', path, { token: plainToken })).toMatchObject({ status: 403, json: denied });
    }
    expect((await harness.call('PUT', '/v1/keymgmt/key/a', { token: plainToken, body: '{' })).json).toEqual(denied);
    await harness.putToken('hvs.almost', { policies: ['Root', 'root2', ''] });
    expect((await harness.call('GET', '/v1/sys/mounts', { token: 'hvs.almost' })).json).toEqual(denied);
  });

  test('are checked before a path is looked up or a body read', async () => {
    for (const path of ['/v1/nope/x', '/v1/sys/nope', '/v1/keymgmt/key/a.']) {
      expect((await harness.call('GET', path, { token: null })).json).toEqual(none);
      expect((await harness.call('GET', path, { token: 'hvs.none' })).json).toEqual(unknown);
    }
    const answer = await harness.call('PUT', '/v1/nope', { token: null, headers: { 'transfer-encoding': 'chunked' } });
    expect(answer.json).toEqual(none);
  });
});

describe('every path needs a token', () => {
  test.each([
    '/v1/keymgmt/key/a',
    '/v1/sys/mounts',
    '/v1/sys/mounts/keymgmt',
    '/v1/sys/mounts/keymgmt/tune',
    '/v1/sys/capabilities-self',
    '/v1/sys/internal/ui/mounts/keymgmt',
    '/v1/sys/seal-status/x',
    '/v1/sys/health/',
    '/v1/sys/initx',
    '/v1/auth/token/create',
    '/v1/auth/token/lookup',
    '/v1/auth/token/lookup-self',
    '/v1/auth/token/renew-self',
    '/v1/auth/token/revoke-self',
    '/v1/toString',
  ])('%s', async (path) => {
    for (const method of ['GET', 'LIST', 'PUT', 'DELETE', 'HELP']) {
      const answer = await harness.call(method, path, { token: null });
      expect(answer, method).toMatchObject({ status: 403, json: none });
    }
  });

  test('but the four that tell how the service is', async () => {
    for (const name of ['seal-status', 'leader', 'health', 'init']) {
      const good = await harness.call('GET', `/v1/sys/${name}`, { token: null });
      expect(good.status).toBe(200);
      expect((await harness.call('GET', `/v1/sys/${name}`, { token: 'hvs.none' })).json).toEqual(good.json);
      expect((await harness.call('HEAD', `/v1/sys/${name}`, { token: null })).status).toBe(200);
      for (const method of ['PUT', 'DELETE', 'LIST', 'HELP']) {
        const answer = await harness.call(method, `/v1/sys/${name}`, { token: null });
        expect(answer).toMatchObject({ status: 405, json: { errors: [] } });
      }
    }
  });

  test('and the list of mounts, which is empty without one', async () => {
    const path = '/v1/sys/internal/ui/mounts';
    expect((await harness.call('GET', path, { token: null })).json.data).toEqual({ auth: {}, secret: {} });
    expect((await harness.call('GET', path, { token: plainToken })).json.data).toEqual({ auth: {}, secret: {} });
    expect((await harness.call('GET', path)).json.data).toMatchObject({ secret: { 'keymgmt/': { type: 'keymgmt' } } });
    expect(await harness.call('GET', path, { token: 'hvs.none' })).toMatchObject({ status: 403, json: unknown });
  });
});

describe('headers', () => {
  test.each(['', '/', 'root', 'root/', ' root '])('namespace "%s" is the one there is', async (namespace) => {
    const answer = await harness.call('GET', '/v1/sys/mounts', { headers: { 'x-vault-namespace': namespace } });
    expect(answer.status).toBe(200);
  });

  test.each(['team', 'root/team', 'Root', '//', '../root'])('namespace "%s" does not exist', async (namespace) => {
    for (const path of ['/v1/sys/mounts', '/v1/sys/health', '/v1/keymgmt/key/a']) {
      const answer = await harness.call('GET', path, { headers: { 'x-vault-namespace': namespace } });
      expect(answer).toMatchObject({ status: 404, json: { errors: ['namespace not found'] } });
    }
  });

  test('a namespace sent twice is refused', async () => {
    const answer = await harness.call('GET', '/v1/sys/mounts', { headers: { 'x-vault-namespace': 'root,root' } });
    expect(answer.json.errors).toEqual(['header X-Vault-Namespace was sent more than once']);
  });

  test.each(['60', '60s', '1h', 'soon', '00x1', '-1'])('wrapping for "%s" is refused', async (ttl) => {
    const answer = await harness.call('PUT', '/v1/keymgmt/key/a', { headers: { 'x-vault-wrap-ttl': ttl } });
    const errors = ['response wrapping (X-Vault-Wrap-TTL) is not supported'];
    expect(answer).toMatchObject({ status: 400, json: { errors } });
    expect((await harness.call('GET', '/v1/keymgmt/key/a')).status).toBe(404);
  });

  test.each(['', '0', '0s', '00'])('wrapping for "%s" is none', async (ttl) => {
    const answer = await harness.call('PUT', '/v1/keymgmt/key/a', { headers: { 'x-vault-wrap-ttl': ttl } });
    expect(answer.status).toBe(204);
  });

  test('what a proxy may have been told to set changes nothing', async () => {
    const headers = {
      'x-ms-client-principal': 'eyJ9',
      'x-vault-request': 'true',
      'x-vault-mfa': 'a',
      'x-vault-index': 'b',
    };
    expect((await harness.call('GET', '/v1/sys/mounts', { headers, token: null })).status).toBe(403);
    expect((await harness.call('GET', '/v1/sys/mounts', { headers })).status).toBe(200);
  });
});

test.each(['/v1/sys/mounts?a=1&a=2', '/v1/sys/health?a=1&%61=2', '/v1/keymgmt/key?list=true&list=false'])(
  'a repeated query parameter is refused: %s',
  async (target) => {
    const answer = await harness.call('GET', target);
    expect(answer.status).toBe(400);
    expect(answer.json.errors).toEqual([expect.stringMatching(/^query parameter "(a|list)" was sent more than once$/)]);
  },
);

test('query parameters that differ in case are two', async () => {
  const answer = await harness.call('GET', '/v1/keymgmt/echo/a?text=1&TEXT=2');
  expect(answer.json).toMatchObject({ warnings: [expect.stringContaining('[TEXT]')], data: { fields: { text: '1' } } });
});
