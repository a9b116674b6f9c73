import nodeVault from 'node-vault';
import { beforeEach, describe, expect, test } from 'vitest';
import { audience, callerOf, fakeVerification, tokenNamed } from '../support/callers.ts';
import { createHarness, type Harness, plainToken } from '../support/harness.ts';
import { startWireServer } from '../support/wire-server.ts';

/** What clients send to sign in, as they were seen to send it. */
let harness: Harness;

const jwt = tokenNamed('app');

beforeEach(async () => {
  harness = await createHarness({ signIn: { verify: fakeVerification({ app: callerOf() }) } });
  const policy = 'path "auth/token/create" { capabilities = ["update"] } path "sys/mounts" { capabilities = ["read"] }';
  await harness.call('PUT', '/v1/sys/policies/acl/app', { body: { policy } });
  const bound = { bound_audiences: audience, bound_subject: 'object-1', user_claim: 'oid', token_policies: ['app'] };
  await harness.call('PUT', '/v1/auth/jwt/role/app', { body: bound });
  const identity = { bound_service_principal_ids: ['object-1'], token_policies: ['app'] };
  await harness.call('PUT', '/v1/auth/azure/role/app', { body: identity });
});

interface Auth {
  client_token: string;
  policies: string[];
}

describe('Terraform', () => {
  test.each<[string, object]>([
    ['jwt', { role: 'app', jwt, distributed_claim_access_token: '' }],
    ['azure', { role: 'app', jwt, subscription_id: 's', resource_group_name: 'g', vm_name: 'v' }],
  ])('auth_login_%s, then a token of its own', async (mount, body) => {
    const headers = { 'x-vault-request': 'true', 'accept-encoding': 'gzip' };
    const signedIn = await harness.call('PUT', `/v1/auth/${mount}/login`, { token: null, headers, body });
    expect([signedIn.status, signedIn.json.warnings]).toEqual([200, null]);
    const { client_token: token } = signedIn.json.auth as Auth;
    const self = await harness.call('GET', '/v1/auth/token/lookup-self', { token, headers });
    expect(self.json.data).toMatchObject({ policies: ['app', 'default'], type: 'service', renewable: true });
    const child = await harness.call('POST', '/v1/auth/token/create', {
      token,
      headers,
      body: {
        ttl: '1200s',
        explicit_max_ttl: '1200s',
        display_name: 'terraform',
        num_uses: 0,
        renewable: false,
        type: '',
        entity_alias: '',
      },
    });
    const auth = child.json.auth as Auth;
    expect(auth.policies).toEqual(['app', 'default']);
    expect((await harness.call('GET', '/v1/sys/mounts', { token: auth.client_token, headers })).status).toBe(200);
    expect((await harness.call('GET', '/v1/sys/auth', { token: auth.client_token, headers })).status).toBe(403);
  });
});

describe('hvac', () => {
  const headers = { 'x-vault-request': 'true', 'content-type': 'application/json' };

  test.each<[string, object]>([
    ['jwt', { role: 'app', jwt, path: null }],
    ['azure', { role: 'app', jwt, subscription_id: null, resource_group_name: null, vm_name: null, vmss_name: null }],
  ])('auth.%s login with a token that is out of date, and is_authenticated', async (mount, body) => {
    const { status, json } = await harness.call('POST', `/v1/auth/${mount}/login`, { token: 'hvs.old', headers, body });
    expect(status).toBe(200);
    const { client_token: token } = json.auth as Auth;
    expect((await harness.call('GET', '/v1/auth/token/lookup-self', { token, headers })).status).toBe(200);
  });

  test('a login that is refused is a 400, not a 401 or 403', async () => {
    const body = { role: 'app', jwt: tokenNamed('forged') };
    const { status } = await harness.call('POST', '/v1/auth/jwt/login', { token: null, headers, body });
    expect(status).toBe(400);
  });

  test('policies by both names', async () => {
    const send = (method: string, path: string, body?: unknown) =>
      harness.call(method, `/v1/${path}`, { headers, body });
    const policy = 'path "a" { capabilities = ["read"] }';
    expect((await send('PUT', 'sys/policy/a', { policy })).status).toBe(204);
    expect((await send('GET', 'sys/policy/a')).json.data).toMatchObject({ rules: policy });
    expect((await send('GET', 'sys/policy')).json.data).toMatchObject({
      policies: expect.arrayContaining(['a']) as unknown,
    });
    expect((await send('LIST', 'sys/policies/acl')).json.data).toMatchObject({
      keys: expect.arrayContaining(['a']) as unknown,
    });
    expect((await send('DELETE', 'sys/policies/acl/a')).status).toBe(204);
  });
});

describe('node-vault', () => {
  test('jwtLogin with an old token, policies, auths and capabilities', async () => {
    await using server = await startWireServer((request) => harness.api.handle(request));
    const vault = nodeVault({ endpoint: server.url, token: plainToken });
    const { auth } = (await vault.jwtLogin({ role: 'app', jwt })) as { auth: Auth };
    expect(auth.policies).toEqual(['app', 'default']);
    expect(server.requests.at(-1)?.headers.get('x-vault-token')).toBe(plainToken);
    expect(vault.token).toBe(auth.client_token);
    expect(await vault.tokenLookupSelf()).toMatchObject({ data: { path: 'auth/jwt/login' } });
    expect(await vault.mounts()).toMatchObject({ data: { 'sys/': { type: 'system' } } });
    await expect(vault.auths()).rejects.toThrow('permission denied');

    const root = nodeVault({ endpoint: server.url, token: 'hvs.root-of-the-tests' });
    expect(await root.auths()).toMatchObject({ data: { 'jwt/': { type: 'jwt' } } });
    await root.addPolicy({ name: 'b', rules: 'path "b" { capabilities = ["read"] }' });
    expect(await root.getPolicy({ name: 'b' })).toMatchObject({ rules: expect.stringContaining('"b"') as string });
    expect(await root.policies()).toMatchObject({ policies: expect.arrayContaining(['b']) as unknown });
    await root.removePolicy({ name: 'b' });
    await expect(root.getPolicy({ name: 'b' })).rejects.toThrow('Status 404');
  });
});
