import { beforeEach, describe, expect, test } from 'vitest';
import { audience, callerOf, fakeVerification, tokenNamed } from '../support/callers.ts';
import { createHarness, type Harness, start } from '../support/harness.ts';

let harness: Harness;

const claims = (changes: Record<string, string[]>) => ({ ...callerOf().claims, ...changes });

beforeEach(async () => {
  const verify = fakeVerification({
    ops: callerOf({ claims: claims({ roles: ['Ops', 'Other'], groups: ['g1', 'g2'] }) }),
    plain: callerOf(),
  });
  harness = await createHarness({ signIn: { verify } });
  await putRole('jwt', 'ops', {
    bound_audiences: [audience],
    bound_claims: { roles: 'Ops', azp: ['client-1', 'client-2'] },
    token_policies: ['Ops-Policy'],
    token_ttl: '10m',
    token_max_ttl: '20m',
  });
  await putRole('azure', 'vm', { bound_service_principal_ids: 'object-1', policies: 'vm', ttl: 60 });
});

function putRole(mount: string, name: string, body: unknown) {
  return harness.call('POST', `/v1/auth/${mount}/role/${name}`, { body });
}

const login = (mount: string, body: unknown, token: string | null = null) =>
  harness.call('POST', `/v1/auth/${mount}/login`, { body, token });

describe('a login', () => {
  test('gives a token of ours', async () => {
    const { status, json } = await login('jwt', { role: 'ops', jwt: tokenNamed('ops') });
    expect(status).toBe(200);
    expect(json).toMatchObject({ data: null, mount_type: 'jwt' });
    const auth = json.auth as { client_token: string };
    expect(auth).toEqual({
      client_token: expect.stringMatching(/^hvs\.[\w-]{32}$/) as string,
      accessor: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      policies: ['default', 'ops-policy'],
      token_policies: ['default', 'ops-policy'],
      identity_policies: null,
      metadata: { role: 'ops' },
      lease_duration: 600,
      renewable: true,
      entity_id: '',
      token_type: 'service',
      orphan: true,
      mfa_requirement: null,
      num_uses: 0,
    });
    const self = await harness.call('GET', '/v1/auth/token/lookup-self', { token: auth.client_token });
    expect(self.json.data).toMatchObject({ display_name: 'jwt-object-1', path: 'auth/jwt/login', ttl: 600 });
  });

  test('can be renewed up to the longest time, and revoked', async () => {
    const { client_token: token } = (await login('jwt', { role: 'ops', jwt: tokenNamed('ops') })).json.auth as {
      client_token: string;
    };
    harness.clock.now = new Date(start.getTime() + 500_000);
    const renew = () => harness.call('PUT', '/v1/auth/token/renew-self', { token, body: { increment: '1h' } });
    expect((await renew()).json.auth).toMatchObject({ lease_duration: 700 });
    expect((await harness.call('PUT', '/v1/auth/token/revoke-self', { token })).status).toBe(204);
    expect((await renew()).status).toBe(403);
  });

  test('by an Azure identity says what Vault wants to know, of which only the token counts', async () => {
    const body = { role: 'vm', jwt: tokenNamed('plain'), subscription_id: 's', resource_group_name: 'r', vm_name: 'v' };
    const { status, json } = await login('azure', body);
    expect([status, json.warnings]).toEqual([200, null]);
    expect(json.auth).toMatchObject({ policies: ['default', 'vm'], lease_duration: 60, metadata: { role: 'vm' } });
  });

  test.each(['hvs.none', 'a,b', 'x.y.z'])('ignores the token %s', async (token) => {
    expect((await login('jwt', { role: 'ops', jwt: tokenNamed('ops') }, token)).status).toBe(200);
  });

  test('without a role takes the default role', async () => {
    const jwt = tokenNamed('ops');
    expect((await login('jwt', { jwt })).json.errors).toEqual(['missing role']);
    const config = { body: { default_role: 'OPS' } };
    expect((await harness.call('POST', '/v1/auth/jwt/config', config)).status).toBe(204);
    expect((await harness.call('GET', '/v1/auth/jwt/config')).json.data).toEqual({ default_role: 'ops' });
    expect((await login('jwt', { jwt })).json.auth).toMatchObject({ metadata: { role: 'ops' } });
    expect((await login('azure', { jwt })).json.errors).toEqual(['missing role']);
    expect((await harness.call('POST', '/v1/auth/jwt/config', { body: { jwks_url: 'x' } })).status).toBe(400);
  });

  test('takes the name of a role in any letters', async () => {
    expect((await login('jwt', { role: 'OPS', jwt: tokenNamed('ops') })).status).toBe(200);
  });

  test.each<[string, unknown, string]>([
    ['jwt', {}, 'missing token'],
    ['jwt', { role: 'ops' }, 'missing token'],
    ['jwt', { role: 'nope', jwt: tokenNamed('ops') }, 'role "nope" could not be found'],
    ['azure', { role: 'ops', jwt: tokenNamed('ops') }, 'role "ops" could not be found'],
    ['jwt', { role: '../x"\n', jwt: tokenNamed('ops') }, 'role "../x\\"\\n" could not be found'],
    ['jwt', { role: 'ops', jwt: 'junk' }, 'error validating token: malformed token'],
    ['jwt', { role: 'ops', jwt: tokenNamed('forged') }, 'error validating token: malformed token'],
    ['jwt', { role: 'ops', jwt: tokenNamed('plain') }, 'error validating claims: claim "roles" is missing'],
    [
      'jwt',
      { role: 'others', jwt: tokenNamed('ops') },
      'error validating claims: claim "azp" does not match any associated bound claim values',
    ],
    ['jwt', { role: 'open', jwt: tokenNamed('ops') }, 'audience claim found in JWT but no audiences bound to the role'],
    [
      'jwt',
      { role: 'elsewhere', jwt: tokenNamed('ops') },
      'error validating claims: aud claim does not match any bound audience',
    ],
    ['azure', { role: 'group', jwt: tokenNamed('plain') }, 'error validating claims: claim "groups" is missing'],
  ])('at %s with %j is refused', async (mount, body, message) => {
    await putRole('jwt', 'others', { bound_audiences: audience, bound_claims: { azp: 'client-9' } });
    await putRole('jwt', 'open', { bound_claims: { roles: ['Ops'] } });
    await putRole('jwt', 'elsewhere', { bound_claims: { roles: ['Ops'] }, bound_audiences: 'api://other' });
    await putRole('azure', 'group', { bound_group_ids: ['g2'], bound_service_principal_ids: ['object-1'] });
    const answer = await login(mount, body);
    expect(answer).toMatchObject({ status: 400, json: { errors: [message] } });
    expect(answer.body).not.toContain('eyJh');
    expect(harness.log).toEqual([]);
  });

  test('has to wait while nobody can tell', async () => {
    const answer = await login('jwt', { role: 'ops', jwt: tokenNamed('outage') });
    expect(answer).toMatchObject({ status: 503, json: { errors: ['the keys cannot be read'] } });
  });

  test('only by writing', async () => {
    for (const method of ['GET', 'DELETE', 'LIST', 'PATCH']) {
      const headers = { 'content-type': 'application/merge-patch+json' };
      const { status } = await harness.call(method, '/v1/auth/jwt/login', { token: null, headers });
      expect(status, method).toBe(method === 'LIST' ? 404 : 405);
    }
    for (const path of ['/v1/auth/jwt/login/', '/v1/auth/jwt/login/x', '/v1/auth/jwt/Login']) {
      expect((await harness.call('POST', path, { token: null, body: {} })).status, path).toBe(403);
    }
  });
});

describe('roles', () => {
  test('are shown as Vault shows them', async () => {
    expect((await harness.call('GET', '/v1/auth/jwt/role/ops')).json.data).toEqual({
      role_type: 'jwt',
      bound_audiences: [audience],
      bound_subject: '',
      bound_claims: { roles: ['Ops'], azp: ['client-1', 'client-2'] },
      bound_claims_type: 'string',
      policies: ['ops-policy'],
      token_policies: ['ops-policy'],
      ttl: 600,
      token_ttl: 600,
      max_ttl: 1200,
      token_max_ttl: 1200,
      token_no_default_policy: false,
      token_type: 'default',
    });
    expect((await harness.call('GET', '/v1/auth/azure/role/vm')).json.data).toMatchObject({
      bound_service_principal_ids: ['object-1'],
      bound_group_ids: [],
      token_policies: ['vm'],
    });
  });

  test('are changed by what is sent, and keep the rest', async () => {
    expect((await putRole('jwt', 'Ops', { bound_subject: 'object-1', token_no_default_policy: true })).status).toBe(
      204,
    );
    const data = async () => (await harness.call('GET', '/v1/auth/jwt/role/ops')).json.data;
    expect(await data()).toMatchObject({ bound_subject: 'object-1', bound_claims: { roles: ['Ops'] }, token_ttl: 600 });
    const { json } = await login('jwt', { role: 'ops', jwt: tokenNamed('ops') });
    expect(json.auth).toMatchObject({ policies: ['ops-policy'] });
    await putRole('jwt', 'ops', { bound_claims: { azp: 'client-1' }, bound_subject: '' });
    expect(await data()).toMatchObject({ bound_subject: '', bound_claims: { azp: ['client-1'] } });
  });

  test('are listed and deleted', async () => {
    expect((await harness.call('LIST', '/v1/auth/jwt/role')).json.data).toEqual({ keys: ['ops'] });
    expect((await harness.call('DELETE', '/v1/auth/jwt/role/OPS')).status).toBe(204);
    expect((await harness.call('LIST', '/v1/auth/jwt/role')).status).toBe(404);
    expect((await harness.call('GET', '/v1/auth/jwt/role/ops')).status).toBe(404);
    expect((await login('jwt', { role: 'ops', jwt: tokenNamed('ops') })).status).toBe(400);
  });

  test('that say nothing about time give an hour', async () => {
    await putRole('jwt', 'short', { bound_audiences: audience, bound_subject: 'object-1' });
    const { json } = await login('jwt', { role: 'short', jwt: tokenNamed('plain') });
    expect(json.auth).toMatchObject({ lease_duration: 3600, policies: ['default'] });
  });

  const bound = { bound_claims: { roles: 'Ops' } };
  test.each<[string, object, string]>([
    ['jwt', { token_policies: 'x' }, 'must have at least one bound constraint when creating/updating role'],
    ['jwt', { bound_audiences: 'x' }, 'must have at least one bound constraint when creating/updating role'],
    ['azure', { policies: 'x' }, 'must have at least one bound constraint when creating/updating role'],
    ['azure', { bound_group_ids: '' }, 'must have at least one bound constraint when creating/updating role'],
    ['jwt', { ...bound, ttl: '2h', max_ttl: '1h' }, 'ttl should not be greater than max ttl'],
    ['jwt', { ...bound, ttl: '33d' }, 'ttl should not be greater than max ttl'],
    ['jwt', { ...bound, policies: 'ROOT' }, 'a role cannot give out the policy "root"'],
    ['jwt', { ...bound, role_type: 'oidc' }, 'role_type can only be "jwt"'],
    ['jwt', { ...bound, bound_claims_type: 'glob' }, 'bound_claims_type can only be "string"'],
    ['jwt', { ...bound, token_type: 'batch' }, 'only service tokens are supported'],
    ['jwt', { ...bound, token_num_uses: 1 }, 'token_num_uses is not supported'],
    ['jwt', { ...bound, token_bound_cidrs: '10.0.0.0/8' }, 'token_bound_cidrs is not supported'],
    ['jwt', { ...bound, groups_claim: 'groups' }, 'groups_claim is not supported'],
    ['azure', { bound_group_ids: 'g', bound_subscription_ids: 's' }, 'bound_subscription_ids is not supported'],
    [
      'jwt',
      { bound_claims: { name: 'x' } },
      'bound_claims can name azp, groups, idtyp, oid, roles, sub, tid, not "name"',
    ],
    ['jwt', { bound_claims: { roles: [] } }, 'bound_claims: "roles" needs a text or a list of texts'],
    ['jwt', { bound_claims: { roles: { a: 1 } } }, 'bound_claims: "roles" needs a text or a list of texts'],
  ])('at %s, %j is refused', async (mount, body, message) => {
    expect(await putRole(mount, 'new', body)).toMatchObject({ status: 400, json: { errors: [message] } });
    expect((await harness.call('GET', `/v1/auth/${mount}/role/new`)).status).toBe(404);
  });
});

describe('sys/auth', () => {
  test('lists the ways to sign in, beside the envelope too', async () => {
    const { json } = await harness.call('GET', '/v1/sys/auth');
    expect(Object.keys(json.data as object)).toEqual(['azure/', 'jwt/', 'token/']);
    expect(json).toMatchObject({
      'jwt/': {
        type: 'jwt',
        config: { default_lease_ttl: 3600, max_lease_ttl: 2_764_800, token_type: 'default-service' },
      },
      'token/': { type: 'token', accessor: expect.stringMatching(/^token_/) as string },
    });
    const { json: one } = await harness.call('GET', '/v1/sys/auth/jwt');
    expect(one.data).toEqual((json.data as Record<string, unknown>)['jwt/']);
    const missing = await harness.call('GET', '/v1/sys/auth/ldap');
    expect(missing).toMatchObject({ status: 400, json: { errors: ['No auth engine at ldap/'] } });
  });
});
