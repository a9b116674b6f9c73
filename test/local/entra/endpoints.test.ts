import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EntraStandIn } from '../../../src/local/entra/index.ts';
import { createFaults } from '../../../src/local/faults.ts';
import {
  apiResource,
  application,
  askForToken,
  startTestEntra,
  systemAssigned,
  tenantId,
  userAssigned,
  vaultResource,
} from './entra.ts';

const faults = createFaults();
const form = {
  grant_type: 'client_credentials',
  client_id: application.clientId,
  client_secret: 'eR%HizuCVEpAKgeaUEx',
  scope: `${vaultResource}/.default`,
};
let entra: EntraStandIn;

beforeAll(async () => {
  entra = await startTestEntra({ faults });
});

afterAll(() => entra.stop());

async function getJson(address: string): Promise<Record<string, unknown>> {
  const response = await fetch(address);
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}

describe('token endpoint', () => {
  it('answers with exactly the fields of version 2', async () => {
    const { status, body } = await askForToken(entra.authorityHost, form);
    expect(status).toBe(200);
    expect(body).toEqual({
      token_type: 'Bearer',
      expires_in: 3599,
      ext_expires_in: 3599,
      access_token: expect.any(String) as string,
    });
  });

  it('answers version 1 with the resource and its times as text', async () => {
    const { body } = await askForToken(
      entra.authorityHost,
      { ...form, resource: `${vaultResource}/` },
      `${tenantId}/oauth2/token`,
    );
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: '3599', resource: `${vaultResource}/` });
    expect(Number(body.expires_on) - Number(body.not_before)).toBe(3599 + 300);
    await expect(entra.verify(String(body.access_token), vaultResource)).resolves.toMatchObject({ tenantId });
  });

  it('words a refusal as Entra does', async () => {
    const { status, body } = await askForToken(entra.authorityHost, { ...form, client_secret: 'wrong' });
    expect(status).toBe(401);
    expect(Object.keys(body)).toEqual([
      'error',
      'error_description',
      'error_codes',
      'timestamp',
      'trace_id',
      'correlation_id',
      'error_uri',
    ]);
    expect(body).toMatchObject({ error: 'invalid_client', error_codes: [7000215] });
    expect(body.timestamp).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/);
    expect(body.error_description).toMatch(/^AADSTS7000215: .+ Trace ID: \S+ Correlation ID: \S+ Timestamp: \S+ \S+Z$/);
  });

  it.each([
    ['no scope', { scope: '' }, 'invalid_request', 900144],
    ['two scopes', { scope: `${form.scope} ${apiResource}/.default` }, 'invalid_scope', 70011],
    ['a scope without .default', { scope: `${vaultResource}/keys.read` }, 'invalid_scope', 1002012],
    ['an unknown resource', { scope: 'https://unknown.example/.default' }, 'invalid_resource', 500011],
    ['another grant', { grant_type: 'password' }, 'unsupported_grant_type', 70003],
    ['no credential', { client_secret: '' }, 'invalid_client', 7000216],
    ['no client', { client_id: '' }, 'invalid_request', 900144],
  ])('refuses %s', async (_what, changes, error, code) => {
    const { body } = await askForToken(entra.authorityHost, { ...form, ...changes });
    expect(body).toMatchObject({ error, error_codes: [code] });
  });

  it.each([
    ['99999999-2222-4333-8444-555555555555', 90002],
    ['nonsense', 900023],
  ])('does not know the tenant %s', async (tenant, code) => {
    const { status, body } = await askForToken(entra.authorityHost, form, `${tenant}/oauth2/v2.0/token`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: 'invalid_request', error_codes: [code] });
    const discovery = await fetch(`${entra.authorityHost}/${tenant}/v2.0/.well-known/openid-configuration`);
    expect(discovery.status).toBe(400);
    expect(await discovery.json()).toMatchObject({ error_codes: [code] });
  });

  it('throttles and fails on demand', async () => {
    faults.add({ service: 'entra', times: 1, fault: { kind: 'throttle', retryAfterSeconds: 7 } });
    faults.add({ service: 'entra', times: 1, fault: { kind: 'fail-after-effect', status: 503 } });
    const throttled = await fetch(`${entra.authorityHost}/${tenantId}/oauth2/v2.0/token`, {
      method: 'POST',
      body: new URLSearchParams(form),
    });
    expect(throttled.status).toBe(429);
    expect(throttled.headers.get('retry-after')).toBe('7');
    const failed = await askForToken(entra.authorityHost, form);
    expect(failed).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } });
    expect(faults.log.map(({ operation, name }) => [operation, name])).toEqual([
      ['token', application.clientId],
      ['token', application.clientId],
    ]);
  });
});

describe('discovery', () => {
  it.each([
    ['', '/discovery/keys', 'sts', vaultResource],
    ['/v2.0', '/discovery/v2.0/keys', 'authority', apiResource],
  ])('lets others verify tokens%s by the published keys', async (version, keysPath, issuer, audience) => {
    const base = `${entra.authorityHost}/${tenantId}`;
    const configuration = await getJson(`${base}${version}/.well-known/openid-configuration`);
    expect(configuration).toMatchObject({
      issuer: issuer === 'sts' ? `https://sts.windows.net/${tenantId}/` : `${base}/v2.0`,
      jwks_uri: `${base}${keysPath}`,
      token_endpoint: `${base}/oauth2${version}/token`,
    });
    const token = await entra.issueToken(application, audience);
    const keys = createRemoteJWKSet(new URL(String(configuration.jwks_uri)));
    const { protectedHeader } = await jwtVerify(token, keys, { issuer: String(configuration.issuer), audience });
    expect(protectedHeader).toMatchObject({ alg: 'RS256', typ: 'JWT' });
  });

  it('names all hosts of the authority as one instance', async () => {
    const asked = encodeURIComponent(`${entra.authorityHost}/${tenantId}/oauth2/v2.0/authorize`);
    const path = `/common/discovery/instance?api-version=1.1&authorization_endpoint=${asked}`;
    const { host, port } = new URL(entra.authorityHost);
    expect(await getJson(`${entra.authorityHost}${path}`)).toEqual({
      tenant_discovery_endpoint: `${entra.authorityHost}/${tenantId}/v2.0/.well-known/openid-configuration`,
      'api-version': '1.1',
      metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host, `login.localhost:${port}`] }],
    });
    const foreign = encodeURIComponent('https://login.example/t/oauth2/v2.0/authorize');
    const refused = await fetch(`${entra.authorityHost}/common/discovery/instance?authorization_endpoint=${foreign}`);
    expect(refused.status).toBe(400);
  });

  it('answers nothing anywhere else', async () => {
    expect((await fetch(`${entra.authorityHost}/${tenantId}/oauth2/v2.0/authorize`)).status).toBe(404);
    expect((await fetch(`${entra.authorityHost}/`)).status).toBe(404);
  });
});

describe('identity endpoint', () => {
  const query = `api-version=2019-08-01&resource=${encodeURIComponent(vaultResource)}`;

  async function ask(search: string, identityHeader?: string) {
    const headers: Record<string, string> = identityHeader ? { 'x-identity-header': identityHeader } : {};
    const response = await fetch(`${entra.identityEndpoint}?${search}`, { headers });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  it('answers with the fields of App Service', async () => {
    const { status, body } = await ask(query, systemAssigned.identityHeader);
    expect(status).toBe(200);
    expect(body).toEqual({
      access_token: expect.any(String) as string,
      expires_on: expect.stringMatching(/^\d+$/) as string,
      resource: vaultResource,
      token_type: 'Bearer',
      client_id: systemAssigned.clientId,
    });
    await expect(entra.verify(String(body.access_token), vaultResource)).resolves.toMatchObject({
      objectId: systemAssigned.objectId,
    });
  });

  it.each([
    ['a missing header', query, undefined, 401],
    ['a wrong header', query, 'wrong', 401],
    ['another api-version', query.replace('2019-08-01', '2017-09-01'), userAssigned.identityHeader, 400],
    ['no resource', 'api-version=2019-08-01', userAssigned.identityHeader, 400],
    ['an unknown identity', `${query}&client_id=${application.clientId}`, userAssigned.identityHeader, 400],
    ['an unknown resource', 'api-version=2019-08-01&resource=https://x.example', userAssigned.identityHeader, 400],
  ])('refuses %s', async (_what, search, identityHeader, statusCode) => {
    const { status, body } = await ask(search, identityHeader);
    expect(status).toBe(statusCode);
    expect(body).toEqual({
      statusCode,
      message: expect.any(String) as string,
      correlationId: expect.any(String) as string,
    });
  });
});
