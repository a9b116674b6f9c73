import { describe, expect, test } from 'vitest';
import { isProviderToken } from '../../src/vault-api/callers.ts';
import { newToken } from '../../src/vault-api/token-create.ts';
import { callerOf, fakeVerification, tokenNamed } from './support/callers.ts';
import { createHarness, type Harness, rootToken, start } from './support/harness.ts';

const invalid = { status: 403, json: { errors: ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'] } };
const denied = { status: 403, json: { errors: ['1 error occurred:\n\t* permission denied\n\n'] } };

function startHarness(): Promise<Harness> {
  const verify = fakeVerification({
    admin: callerOf({ roles: ['Administrator'], id: 'tenant/admin' }),
    several: callerOf({ roles: ['Reader', 'Auditor', 'Reader'] }),
    none: callerOf(),
    unknown: callerOf({ roles: ['administrator', 'Owner', 'root'] }),
  });
  return createHarness({ signIn: { verify } });
}

const as = (name: string) => ({ token: tokenNamed(name) });

describe("a caller with the identity provider's token", () => {
  test('is known by it, in either header', async () => {
    const harness = await startHarness();
    const { status, json } = await harness.call('GET', '/v1/auth/token/lookup-self', as('admin'));
    expect(status).toBe(200);
    expect(json.data).toMatchObject({
      display_name: 'application-admin',
      policies: ['default', 'keyfleet-administrator'],
      meta: { kind: 'application', roles: 'Administrator' },
      path: 'auth/jwt',
      ttl: 3600,
      renewable: false,
      orphan: true,
      expire_time: '2026-03-01T13:00:00.250Z',
    });
    const headers = { authorization: `Bearer ${tokenNamed('admin')}` };
    expect((await harness.call('GET', '/v1/sys/mounts', { token: null, headers })).status).toBe(200);
  });

  test('has the policies of all its roles', async () => {
    const harness = await startHarness();
    const { json } = await harness.call('GET', '/v1/auth/token/lookup-self', as('several'));
    expect((json.data as { policies: string[] }).policies).toEqual(['default', 'keyfleet-auditor', 'keyfleet-reader']);
  });

  test.each(['none', 'unknown'])('without a role that is known may do nothing: %s', async (name) => {
    const harness = await startHarness();
    for (const path of ['sys/mounts', 'auth/token/lookup-self', 'sys/capabilities-self']) {
      expect(await harness.call('GET', `/v1/${path}`, as(name))).toMatchObject(denied);
      expect(await harness.call('GET', `/v1/${path}?help=1`, as(name))).toMatchObject(denied);
    }
    const mounts = await harness.call('GET', '/v1/sys/internal/ui/mounts', as(name));
    expect(mounts.json.data).toEqual({ auth: {}, secret: {} });
  });

  test('that is not good is told so, and nobody logs it', async () => {
    const harness = await startHarness();
    expect(await harness.call('GET', '/v1/sys/mounts', as('forged'))).toMatchObject(invalid);
    expect(harness.log).toEqual([]);
  });

  test('has to wait while nobody can tell, and is not refused', async () => {
    const harness = await startHarness();
    const answer = await harness.call('GET', '/v1/sys/mounts', as('outage'));
    expect(answer).toMatchObject({ status: 503, json: { errors: ['the keys cannot be read'] } });
    expect(JSON.stringify(harness.log)).not.toContain(tokenNamed('outage'));
    // Tokens of our own need nobody else.
    expect((await harness.call('GET', '/v1/sys/mounts')).status).toBe(200);
  });

  test('can make tokens of ours, which end with it, and cannot be renewed or revoked', async () => {
    const harness = await startHarness();
    const call = (path: string) => harness.call('POST', `/v1/auth/token/${path}`, { ...as('admin'), body: {} });
    const child = (await call('create')).json.auth as { client_token: string; lease_duration: number };
    expect(child.lease_duration).toBe(3600);
    expect((await harness.call('GET', '/v1/sys/mounts', { token: child.client_token })).status).toBe(200);
    expect((await call('renew-self')).json.errors).toEqual(['lease is not renewable']);
    expect(await call('revoke-self')).toMatchObject({
      status: 400,
      json: { errors: [expect.stringContaining('only tokens that were made here can be revoked')] },
    });
    harness.clock.now = new Date(start.getTime() + 3_600_000);
    expect((await harness.call('GET', '/v1/sys/mounts', { token: child.client_token })).status).toBe(403);
  });

  test('an administrator is no root', async () => {
    const harness = await startHarness();
    const body = { policies: ['root'] };
    const answer = await harness.call('POST', '/v1/auth/token/create', { ...as('admin'), body });
    expect(answer.json.errors).toEqual(['root tokens may not be created without parent token being root']);
  });
});

describe('where callers cannot be verified', () => {
  const reason = 'callers cannot sign in with Entra tokens: KEYFLEET_AUDIENCE not set';

  test('they are refused with the reason, in the log and in sys/health too; stored tokens work', async () => {
    const harness = await createHarness({ signIn: { reason } });
    const refused = { status: 503, json: { errors: [reason] } };
    expect(await harness.call('GET', '/v1/sys/mounts', as('admin'))).toMatchObject(refused);
    expect(harness.log).toMatchObject([{ level: 'error', status: 503, errors: [{ message: reason }] }]);
    await harness.call('PUT', '/v1/auth/jwt/role/a', {
      body: { bound_claims: { roles: 'Reader' }, bound_audiences: 'a', token_policies: 'x' },
    });
    const login = { token: null, body: { role: 'a', jwt: tokenNamed('admin') } };
    expect(await harness.call('POST', '/v1/auth/jwt/login', login)).toMatchObject(refused);
    const health = await harness.call('GET', '/v1/sys/health', { token: null });
    expect(health).toMatchObject({ status: 200, json: { warnings: [reason] } });
    expect((await harness.call('GET', '/v1/sys/mounts')).status).toBe(200);
  });
});

test('the two kinds of token are told apart by their shape', () => {
  for (const token of ['a.b.c', '..', 'a.b.', tokenNamed('x')]) expect(isProviderToken(token), token).toBe(true);
  for (const token of [newToken(), rootToken, 'root', 'a.b', 'a.b.c.d', ''])
    expect(isProviderToken(token), token).toBe(false);
});
