import { createHmac, createPublicKey, type JsonWebKey, randomUUID } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createCallerVerification, type VerifyCaller } from '../../src/identity/callers.ts';
import { createClouds } from '../../src/identity/clouds.ts';
import { createSignIn } from '../../src/identity/sign-in.ts';
import { type Certificates, createCertificates } from '../../src/local/certificates.ts';
import { startEntra, type EntraStandIn } from '../../src/local/entra/index.ts';
import { createFaults } from '../../src/local/faults.ts';
import type { Principal } from '../../src/local/principals.ts';
import { newPrincipal, tenantId, trust } from '../support/stand-ins.ts';
import { createHarness } from '../vault-api/support/harness.ts';

const audience = '3e8b5c0a-6f0e-4b5d-9a57-1d2c7f4e9b20';
const otherTenant = '11111111-2222-4333-8444-555555555555';
const now = () => new Date();

let certificates: Certificates;
let entra: EntraStandIn;
let client: Principal;
let verify: VerifyCaller;

function startDirectory(): Promise<EntraStandIn> {
  return startEntra({
    tenants: [tenantId, otherTenant],
    applications: [],
    managedIdentities: [],
    resources: [{ audience, tokenVersion: 2 }],
    tls: certificates,
    faults: createFaults(),
    now,
  });
}

beforeAll(async () => {
  certificates = await createCertificates();
  trust(certificates);
  entra = await startDirectory();
  client = newPrincipal();
  verify = createCallerVerification({ tenantId, audience, authorityHost: entra.authorityHost, now });
});

afterAll(() => entra.stop());
afterEach(() => vi.useRealTimers());

const seconds = (fromNow: number) => Math.floor(Date.now() / 1000) + fromNow;
const issue = (claims: Record<string, unknown> = {}) => entra.issueToken(client, audience, claims);
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const partsOf = (token: string) => token.split('.') as [string, string, string];

async function publishedKey(): Promise<JsonWebKey & { kid: string }> {
  const response = await fetch(`${entra.authorityHost}/${tenantId}/discovery/v2.0/keys`);
  const { keys } = (await response.json()) as { keys: (JsonWebKey & { kid: string })[] };
  return keys[0] ?? { kid: '' };
}

/** A good token's claims under another header and signature. */
async function resigned(header: Record<string, unknown>, sign: (text: string) => string): Promise<string> {
  const [, payload] = partsOf(await issue());
  const text = `${encode(header)}.${payload}`;
  return `${text}.${sign(text)}`;
}

describe('a good token', () => {
  test("tells an application's id, roles and claims", async () => {
    const issued = await issue({ roles: ['KeyOperator', 'Reader'], groups: ['g1'] });
    expect(await verify(issued)).toEqual({
      ok: true,
      caller: {
        id: `${tenantId}/${client.objectId}`,
        kind: 'application',
        roles: ['KeyOperator', 'Reader'],
        claims: {
          aud: [audience],
          azp: [client.clientId],
          groups: ['g1'],
          idtyp: ['app'],
          oid: [client.objectId],
          roles: ['KeyOperator', 'Reader'],
          sub: [client.objectId],
          tid: [tenantId],
        },
        issuedTime: expect.any(Date) as Date,
        expireTime: expect.any(Date) as Date,
      },
    });
  });

  test('of a user has a scope, and the roles of the user', async () => {
    const verified = await verify(await issue({ scp: 'openid user_impersonation', idtyp: 'user', roles: ['Reader'] }));
    expect(verified).toMatchObject({ ok: true, caller: { kind: 'user', roles: ['Reader'] } });
    expect(await verify(await issue({ scp: 'user_impersonation', idtyp: undefined }))).toMatchObject({ ok: true });
  });

  test('without roles is good, and has none', async () => {
    expect(await verify(await issue())).toMatchObject({ ok: true, caller: { roles: [] } });
    expect(await verify(await issue({ roles: 'Reader' }))).toMatchObject({ caller: { roles: ['Reader'] } });
    expect(await verify(await issue({ roles: { a: 1 } }))).toMatchObject({ caller: { roles: [] } });
  });

  test('may be a minute late or early, and is taken to last as long', async () => {
    const late = await verify(await issue({ exp: seconds(-50) }));
    expect(late.ok && late.caller.expireTime.getTime() > Date.now()).toBe(true);
    expect(await verify(await issue({ nbf: seconds(50) }))).toMatchObject({ ok: true });
  });

  test('may name the tenant of the settings in other letters', async () => {
    const other = createCallerVerification({
      tenantId: tenantId.toUpperCase(),
      audience,
      authorityHost: entra.authorityHost,
      now,
    });
    expect(await other(await issue())).toMatchObject({ ok: true });
  });
});

/** What is wrong with each, and what a login says about it. */
const refusals: [string, () => Promise<string>, string][] = [
  ['expired', () => issue({ exp: seconds(-61) }), 'token is expired'],
  ['not valid yet', () => issue({ nbf: seconds(70) }), 'token is not valid yet'],
  ['without exp', () => issue({ exp: undefined }), 'missing required "exp" claim'],
  ['without nbf', () => issue({ nbf: undefined }), 'missing required "nbf" claim'],
  ['without iat', () => issue({ iat: undefined }), 'missing required "iat" claim'],
  ['without tid', () => issue({ tid: undefined }), 'missing required "tid" claim'],
  ['without oid', () => issue({ oid: undefined }), 'missing required "oid" claim'],
  ['without azp', () => issue({ azp: undefined }), 'missing required "azp" claim'],
  ['without aud', () => issue({ aud: undefined }), 'missing required "aud" claim'],
  ['without iss', () => issue({ iss: undefined }), 'missing required "iss" claim'],
  ['exp as a text', () => issue({ exp: String(seconds(600)) }), 'unexpected "exp" claim value'],
  ['oid as a number', () => issue({ oid: 1 }), 'unexpected "oid" claim value'],
  ['for another audience', () => issue({ aud: randomUUID() }), 'unexpected "aud" claim value'],
  ['for the audience and a prefix', () => issue({ aud: `api://${audience}` }), 'unexpected "aud" claim value'],
  ['for several audiences', () => issue({ aud: [audience, 'other'] }), 'unexpected "aud" claim value'],
  [
    'of another tenant, by its own issuer',
    () => entra.issueToken({ ...client, tenantId: otherTenant }, audience),
    'unexpected "iss" claim value',
  ],
  ['of another tenant, by our issuer', () => issue({ tid: otherTenant }), 'unexpected "tid" claim value'],
  [
    'of another cloud',
    () => issue({ iss: `https://login.microsoftonline.us/${tenantId}/v2.0` }),
    'unexpected "iss" claim value',
  ],
  [
    'of version 1',
    () => issue({ ver: '1.0', iss: `https://sts.windows.net/${tenantId}/`, appid: client.clientId }),
    'unexpected "iss" claim value',
  ],
  ['of version 1 by the issuer of version 2', () => issue({ ver: '1.0' }), 'only version 2 access tokens are accepted'],
  ['without a version', () => issue({ ver: undefined }), 'missing required "ver" claim'],
  [
    'of an application with scopes',
    () => issue({ scp: 'user_impersonation' }),
    "an application's token must not have scopes",
  ],
  ['of a user without scopes', () => issue({ idtyp: 'user' }), "a token without scopes must be an application's"],
  [
    'of a user with other scopes',
    () => issue({ idtyp: 'user', scp: 'openid' }),
    'the scope user_impersonation is missing',
  ],
  [
    'scopes as a list',
    () => issue({ idtyp: 'user', scp: ['user_impersonation'] }),
    'the scope user_impersonation is missing',
  ],
  ['alg none', () => resigned({ alg: 'none', typ: 'JWT' }, () => ''), 'unsupported signing algorithm'],
  ['alg None with a signature', () => resigned({ alg: 'None' }, () => 'AAAA'), 'unsupported signing algorithm'],
  ['without alg', () => resigned({ typ: 'JWT' }, () => 'AAAA'), 'malformed token'],
  [
    'HS256 with the public key as its secret',
    async () => {
      const key = await publishedKey();
      const secret = createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
      return resigned({ alg: 'HS256', kid: key.kid }, (text) =>
        createHmac('sha256', secret).update(text).digest('base64url'),
      );
    },
    'unsupported signing algorithm',
  ],
  [
    'a key of its own in jwk and jku, under a published kid',
    async () => {
      const { publicKey, privateKey } = await generateKeyPair('RS256');
      const [, payload] = partsOf(await issue());
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
      return new SignJWT(claims)
        .setProtectedHeader({
          alg: 'RS256',
          kid: (await publishedKey()).kid,
          jku: 'https://localhost:1/keys',
          jwk: await exportJWK(publicKey),
        })
        .sign(privateKey);
    },
    'signature verification failed',
  ],
  [
    'an unknown kid',
    () => resigned({ alg: 'RS256', kid: 'unknown' }, () => 'A'.repeat(342)),
    'signed with an unknown key',
  ],
  ['PS256 under the published key', () => resigned({ alg: 'PS256' }, () => 'AAAA'), 'unsupported signing algorithm'],
  [
    'an extension that must be understood',
    () => resigned({ alg: 'RS256', crit: ['x'], x: 1 }, () => 'AAAA'),
    'malformed token',
  ],
  [
    'claims that were changed',
    async () => {
      const [header, payload, signature] = partsOf(await issue());
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
      return [header, encode({ ...claims, roles: ['Administrator'] }), signature].join('.');
    },
    'signature verification failed',
  ],
  [
    'the signature cut off',
    async () =>
      partsOf(await issue())
        .slice(0, 2)
        .join('.') + '.',
    'signature verification failed',
  ],
  [
    'claims that are no JSON',
    async () => `${partsOf(await issue())[0]}.bm90IGpzb24.AAAA`,
    'signature verification failed',
  ],
  ['garbage', async () => 'not.a.token', 'malformed token'],
  ['dots', async () => '..', 'malformed token'],
  ['oversized', () => issue({ padding: 'x'.repeat(16_384) }), 'token is too long'],
];

describe('refused', () => {
  test.each(refusals)('%s', async (_what, make, reason) => {
    const token = await make();
    expect(await verify(token)).toEqual({ ok: false, reason });

    // The same from outside: with the texts of Vault, and with no trace of the token anywhere.
    const harness = await createHarness({ signIn: { verify } });
    const role = { bound_audiences: audience, bound_claims: { tid: tenantId }, token_policies: 'x' };
    await harness.call('PUT', '/v1/auth/jwt/role/any', { body: role });
    const direct = await harness.call('GET', '/v1/sys/mounts', { token });
    const bearer = await harness.call('GET', '/v1/sys/mounts', {
      token: null,
      headers: { authorization: `Bearer ${token}` },
    });
    for (const answer of [direct, bearer]) {
      const errors = ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'];
      expect(answer).toMatchObject({ status: 403, json: { errors } });
    }
    const login = await harness.call('PUT', '/v1/auth/jwt/login', { token: null, body: { role: 'any', jwt: token } });
    expect(login).toMatchObject({ status: 400, json: { errors: [`error validating token: ${reason}`] } });
    const said = JSON.stringify([harness.log, direct.body, bearer.body, login.body]);
    for (const part of token.split('.').filter((text) => text.length > 8)) expect(said).not.toContain(part);
  });
});

describe('the keys', () => {
  test('are fetched once for many tokens', async () => {
    await using keys = await startKeyServer();
    const verifyThere = keys.verification();
    for (let count = 0; count < 5; count++) expect(await verifyThere(await issueAt(keys))).toMatchObject({ ok: true });
    expect(keys.requests).toBe(1);
  });

  test('are fetched again for a key that is new', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    expect(await verify(await issue())).toMatchObject({ ok: true });
    await entra.rotateKeys();
    vi.setSystemTime(Date.now() + 31_000);
    expect(await verify(await issue())).toMatchObject({ ok: true });
  });

  test.each<[string, (server: KeyServer) => void]>([
    ['an error', (server) => void (server.answer = { status: 500, body: 'oops' })],
    ['no JSON', (server) => void (server.answer = { status: 200, body: '<html>' })],
    ['no keys', (server) => void (server.answer = { status: 200, body: '{}' })],
    ['a redirect', (server) => void (server.answer = { status: 302, body: '' })],
  ])("that cannot be read are nobody's fault: %s", async (_what, breakIt) => {
    await using keys = await startKeyServer();
    breakIt(keys);
    const token = await issueAt(keys);
    await expect(keys.verification()(token)).rejects.toMatchObject({ code: 'unavailable' });
    const harness = await createHarness({ signIn: { verify: keys.verification() } });
    const answer = await harness.call('GET', '/v1/sys/mounts', { token });
    expect(answer).toMatchObject({
      status: 503,
      json: { errors: ['the keys that Entra signs tokens with cannot be read'] },
    });
    expect(JSON.stringify(harness.log)).not.toContain(partsOf(token)[1]);
    // What is wrong by itself is refused even now.
    expect(await keys.verification()(await resigned({ alg: 'none' }, () => ''))).toMatchObject({ ok: false });
  });

  test('that are known go on working for a day when no others can be had', async () => {
    await using keys = await startKeyServer();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    const verifyThere = keys.verification();
    expect(await verifyThere(await issueAt(keys))).toMatchObject({ ok: true });
    keys.answer = { status: 503, body: '' };
    vi.setSystemTime(Date.now() + 3_600_000);
    expect(await verifyThere(await issueAt(keys))).toMatchObject({ ok: true });
    // A key that isn't known may have been published since: nobody can tell.
    const unknown = await resigned({ alg: 'RS256', kid: 'unknown' }, () => 'A'.repeat(342));
    await expect(verifyThere(unknown)).rejects.toMatchObject({ code: 'unavailable' });
    vi.setSystemTime(Date.now() + 24 * 3_600_000);
    await expect(verifyThere(await issueAt(keys))).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('settings', () => {
  const clouds = createClouds({});
  test.each<[string | undefined, string | undefined, string, string]>([
    [undefined, audience, 'AzurePublicCloud', 'KEYFLEET_TENANT_ID not set'],
    [tenantId, undefined, 'AzurePublicCloud', 'KEYFLEET_AUDIENCE not set'],
    [undefined, undefined, 'AzurePublicCloud', 'KEYFLEET_TENANT_ID and KEYFLEET_AUDIENCE not set'],
    [tenantId, audience, 'Nowhere', 'KEYFLEET_CLOUD names no known cloud'],
  ])('%s, %s, %s: nobody is verified', (tenant, forWhom, cloudName, reason) => {
    const signIn = createSignIn({ tenantId: tenant, audience: forWhom, cloudName, clouds, now });
    expect(signIn).toEqual({ reason: `callers cannot sign in with Entra tokens: ${reason}` });
  });

  test('that suffice', () => {
    const signIn = createSignIn({ tenantId, audience, cloudName: 'azurepubliccloud', clouds, now });
    expect(signIn.verify).toBeTypeOf('function');
  });
});

interface KeyServer extends AsyncDisposable {
  url: string;
  requests: number;
  /** Instead of Entra's keys. */
  answer: { status: number; body: string } | undefined;
  verification(): VerifyCaller;
}

/** Entra's keys at an address of its own, where they can be had or not. */
async function startKeyServer(): Promise<KeyServer> {
  const answerWith = async (response: ServerResponse) => {
    const published = await fetch(`${entra.authorityHost}/${tenantId}/discovery/v2.0/keys`);
    const { status, body } = keys.answer ?? { status: 200, body: await published.text() };
    response.writeHead(status, { 'Content-Type': 'application/json', Location: '/elsewhere' }).end(body);
  };
  const server = createServer((_request, response) => {
    keys.requests++;
    answerWith(response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const keys: KeyServer = {
    url,
    requests: 0,
    answer: undefined,
    verification: () => createCallerVerification({ tenantId, audience, authorityHost: url, now }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return keys;
}

const issueAt = ({ url }: KeyServer) => issue({ iss: `${url}/${tenantId}/v2.0` });
