import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { KeyClient } from '@azure/keyvault-keys';
import {
  adminAccess,
  authorityHost,
  createCredential,
  keyClient,
  premiumVault,
  principals,
  startVaults,
  tenantId,
} from './support/start.ts';
import { raw, refusalOf, refusalOfCall, versioned } from './support/raw.ts';

let vaults: Awaited<ReturnType<typeof startVaults>>;
let uri: string;
let url: string;
let serial = 0;
const fresh = () => `key-${++serial}`;

beforeAll(async () => {
  vaults = await startVaults({
    vaults: [
      premiumVault,
      { ...premiumVault, name: 'session-vault' },
      { ...premiumVault, name: 'rbac-vault', access: { model: 'rbac', grants: {} } },
      { name: 'other-cloud', sku: 'standard', tenantId, dnsSuffix: 'vault.elsewhere.localhost', access: adminAccess },
    ],
  });
  ({ uri, url } = vaults.addressOf('premium-vault'));
});
afterAll(async () => vaults.stop());

beforeEach(async () => {
  await raw(uri, 'POST', versioned('/keys/known/create'), { kty: 'EC' });
});

const challenge = `Bearer authorization="${authorityHost}/${tenantId}", resource="https://vault.localhost"`;

test('the first request of a client goes out bare, is challenged, and the next has body and token', async () => {
  const credential = createCredential('admin');
  const before = vaults.calls.length;
  const name = fresh();
  await new KeyClient(uri, credential).createKey(name, 'EC');
  expect(vaults.calls.slice(before).map(({ operation, status }) => [operation, status])).toEqual([
    ['challenge', 401],
    ['create', 200],
  ]);
  expect(credential.asked).toHaveLength(1);
  expect(credential.asked[0]?.[0]).toEqual(['https://vault.localhost/.default']);
  expect(credential.asked[0]?.[1]).toMatchObject({ tenantId, enableCae: true });
});

test('several first calls at once have their effects once each', async () => {
  const client = keyClient(uri);
  const names = [fresh(), fresh(), fresh()];
  await Promise.all(names.map((name) => client.createKey(name, 'EC')));
  for (const name of names) {
    const versions = await raw(uri, 'GET', versioned(`/keys/${name}/versions`));
    expect(versions.body.value).toHaveLength(1);
  }
});

test.each([
  ['no token', undefined, {}],
  ['a token of another scheme', undefined, { authorization: 'Basic YWRtaW4=' }],
  ['a token nobody issued', 'x!', {}],
  ['a token for another audience', 'audience:admin', {}],
  ['an expired token', 'expired:admin', {}],
  ['a token of another tenant', 'foreigner', {}],
])('%s is answered 401 with the challenge, before body, version or path are looked at', async (_, token, headers) => {
  const answer = await raw(uri, 'POST', '/no/such/path', '{not json', { token, headers });
  expect(refusalOf(answer)).toEqual([401, 'Unauthorized']);
  expect(answer.headers['www-authenticate']).toBe(challenge);
  expect(answer.headers['x-ms-keyvault-rbac-assignment-id']).toBeUndefined();
});

test.each([
  ['without a token', undefined, /^AKV10000: /],
  ['from another tenant', 'foreigner', /^AKV10032: /],
  ['for another audience', 'audience:admin', /^AKV10022: /],
])('a 401 %s says why in its number', async (_, token, pattern) => {
  const answer = await raw(uri, 'GET', versioned('/keys'), undefined, { token });
  expect(answer.body.error?.message).toMatch(pattern);
});

test('a mutation without a token has no effect', async () => {
  const name = fresh();
  await raw(uri, 'POST', versioned(`/keys/${name}/create`), { kty: 'EC' }, { token: undefined });
  expect((await raw(uri, 'GET', versioned(`/keys/${name}`))).status).toBe(404);
});

test('the challenge names the resource of the vault, which the client checks against the host it asked', async () => {
  const answer = await raw(vaults.addressOf('other-cloud').url, 'GET', versioned('/keys'), undefined, {});
  expect(answer.headers['www-authenticate']).toContain('resource="https://vault.elsewhere.localhost"');
  await expect(keyClient(url).getKey('known')).rejects.toThrow(/does not match the requested domain/);
  const trusting = keyClient(url, 'admin', { disableChallengeResourceVerification: true });
  expect((await trusting.getKey('known')).id).toMatch(`${url}/keys/known/`);
});

test('continuous access evaluation: revoked tokens are challenged with claims, a new token passes', async () => {
  const address = vaults.addressOf('session-vault').uri;
  const control = vaults.control('session-vault');
  let token = 0;
  const credential = createCredential(() => `admin.${++token}`);
  const client = new KeyClient(address, credential, { retryOptions: { maxRetries: 0 } });
  await client.createKey('known', 'EC');
  control.revokeTokens();
  await client.getKey('known');
  const claims = credential.asked.map(([, options]) => (options as { claims?: string }).claims);
  expect(claims.slice(0, -1)).toEqual(claims.slice(0, -1).map(() => undefined));
  expect(JSON.parse(claims.at(-1) ?? '')).toMatchObject({ access_token: { nbf: { essential: true } } });

  const stubborn = keyClient(address);
  await stubborn.getKey('known');
  control.revokeTokens();
  expect(await refusalOfCall(stubborn.getKey('known'))).toEqual([401, 'Unauthorized']);
});

test.each([
  ['a percent-encoded query name', '/keys/known?api%2Dversion=2025-07-01', 200],
  ['every version the clients can be told to use', '/keys/known?api-version=7.0', 200],
  ['no api-version', '/keys/known', 400],
  ['an unknown api-version', '/keys/known?api-version=2031-01-01', 400],
])('%s', async (_, path, status) => {
  expect((await raw(uri, 'GET', path)).status).toBe(status);
});

test.each([
  ['GET', '/keys/known/', undefined],
  ['GET', '/keys/known', undefined],
  ['PATCH', '/keys/known/', { attributes: {} }],
  ['PATCH', '/keys/known', { attributes: {} }],
  ['POST', '/keys/known//sign', { alg: 'ES256', value: Buffer.alloc(32).toString('base64url') }],
])('%s %s works on the newest version', async (method, path, body) => {
  expect((await raw(uri, method, versioned(path), body)).status).toBe(200);
});

test.each([
  ['PUT', '/keys/', [405, 'MethodNotAllowed']],
  ['POST', '/keys/known', [405, 'MethodNotAllowed']],
  ['GET', '/nothing/here', [404, 'NotFound']],
  ['GET', '/certificates', [501, 'NotImplemented']],
  ['GET', '/keys/under_score', [400, 'BadParameter']],
  ['GET', '/keys/dotted.name', [400, 'BadParameter']],
  ['GET', `/keys/${'n'.repeat(128)}`, [400, 'BadParameter']],
  ['GET', '/keys/%zz', [400, 'BadParameter']],
  ['GET', `/keys/${'n'.repeat(127)}`, [404, 'KeyNotFound']],
])('%s %s is refused as %j', async (method, path, refusal) => {
  expect(refusalOf(await raw(uri, method, versioned(path)))).toEqual(refusal);
});

test('an invalid name is quoted in the refusal', async () => {
  const answer = await raw(uri, 'GET', versioned('/keys/under_score'));
  expect(answer.body.error?.message).toContain("'under_score'");
});

test.each([
  ['', 400],
  ['{', 400],
  ['[]', 400],
  ['"text"', 400],
])('body %j is refused with %d', async (body, status) => {
  const answer = await raw(uri, 'POST', versioned(`/keys/${fresh()}/create`), body);
  expect(refusalOf(answer)).toEqual([status, 'BadParameter']);
});

test('answers carry the common headers and echo the client request id', async () => {
  const headers = { 'x-ms-client-request-id': '3b2f3c3e-7a0e-4b53-9d0d-52d3ff2a2d6c' };
  const answer = await raw(uri, 'GET', versioned('/keys/known'), undefined, { token: 'admin', headers });
  expect(answer.headers).toMatchObject({
    'cache-control': 'no-cache',
    pragma: 'no-cache',
    expires: '-1',
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(answer.text)),
    'strict-transport-security': 'max-age=31536000;includeSubDomains',
    'x-content-type-options': 'nosniff',
    'x-ms-client-request-id': headers['x-ms-client-request-id'],
  });
  for (const name of ['x-ms-request-id', 'x-ms-keyvault-region', 'x-ms-keyvault-service-version']) {
    expect(answer.headers[name]).toMatch(/./);
  }
  expect(answer.headers['x-ms-keyvault-network-info']).toMatch(/^conn_type=Ipv4;addr=127\.0\.0\.1;/);
});

test('vaults of the RBAC model name the assignment on authenticated answers, refusals too', async () => {
  const answer = await raw(vaults.addressOf('rbac-vault').uri, 'GET', versioned('/keys/known'));
  expect(answer.status).toBe(403);
  expect(answer.headers['x-ms-keyvault-rbac-assignment-id']).toMatch(/^[0-9a-f]{32}$/);
});

test('vaults on the shared listener are told apart by host, and one that is not there has nobody to answer', async () => {
  const shared = `https://localhost:${vaults.port}`;
  const hostOf = (name: string) => ({ token: 'admin', headers: { host: `${name}.vault.localhost:${vaults.port}` } });
  const known = await raw(shared, 'GET', versioned('/keys/known'), undefined, hostOf('PREMIUM-vault'));
  expect(known.status).toBe(200);
  const other = await raw(shared, 'GET', versioned('/keys/known'), undefined, hostOf('rbac-vault'));
  expect(other.status).toBe(403);
  await expect(raw(shared, 'GET', versioned('/keys'), undefined, hostOf('absent'))).rejects.toThrow(
    /hang up|ECONNRESET/,
  );
  await expect(keyClient('https://absent.vault.localhost:1').getKey('x')).rejects.toThrow(/ENOTFOUND/);
});

test('ids use the authority that the request came by', async () => {
  for (const address of [uri, url]) {
    const answer = await raw(address, 'GET', versioned('/keys/known'));
    expect(answer.body.key?.kid).toMatch(new RegExp(`^${address}/keys/known/[0-9a-f]{32}$`));
  }
});

test('the firewall refuses authenticated callers of other addresses and quotes the address', async () => {
  const control = vaults.control('premium-vault');
  control.setFirewall(['192.0.2.1']);
  const answer = await raw(uri, 'GET', versioned('/keys/known'));
  control.setFirewall(undefined);
  expect(refusalOf(answer)).toEqual([403, 'Forbidden', 'ForbiddenByFirewall']);
  expect(answer.body.error?.message).toContain('127.0.0.1');
  expect((await raw(uri, 'GET', versioned('/keys/known'))).status).toBe(200);
});

test('calls tell who did what to what and how it ended', async () => {
  const before = vaults.calls.length;
  await raw(uri, 'GET', versioned('/keys/KNOWN'));
  await raw(uri, 'DELETE', versioned('/keys/known'), undefined, { token: 'nobody' });
  expect(vaults.calls.slice(before)).toEqual([
    expect.objectContaining({
      vault: 'premium-vault',
      operation: 'get',
      name: 'KNOWN',
      status: 200,
      clientId: principals.admin.clientId,
    }),
    expect.objectContaining({ operation: 'delete', status: 403, clientId: principals.nobody.clientId }),
  ]);
});
