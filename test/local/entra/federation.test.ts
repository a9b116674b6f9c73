import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:https';
import { generateKeyPairSync } from 'node:crypto';
import { ClientAssertionCredential } from '@azure/identity';
import type { JWTPayload } from 'jose';
import { decodeJwt, exportJWK, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCertificates } from '../../../src/local/certificates.ts';
import type { EntraStandIn } from '../../../src/local/entra/index.ts';
import { application, startTestEntra, tenantId, vaultResource } from './entra.ts';

const subject = 'plugin-identity:root:keymgmt';
const audience = 'api://AzureADTokenExchange';
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });

let entra: EntraStandIn;
let issuerServer: Server;
let issuer: string;
let keysAvailable = true;

beforeAll(async () => {
  const tls = await createCertificates();
  const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256' }] };
  issuerServer = createServer({ cert: tls.certificate, key: tls.privateKey }, (request, response) => {
    const documents: Record<string, object> = {
      '/v1/identity/oidc/plugins/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}/keys` },
      '/v1/identity/oidc/plugins/keys': keys,
    };
    const document = keysAvailable ? documents[request.url ?? ''] : undefined;
    response.writeHead(document ? 200 : 404).end(JSON.stringify(document ?? {}));
  });
  await new Promise<void>((resolve) => issuerServer.listen(0, '127.0.0.1', resolve));
  issuer = `https://localhost:${(issuerServer.address() as AddressInfo).port}/v1/identity/oidc/plugins`;
  entra = await startTestEntra({
    tls,
    applications: [{ ...application, secrets: [], federatedCredentials: [{ issuer, subject, audience }] }],
  });
});

afterAll(async () => {
  issuerServer.closeAllConnections();
  issuerServer.close();
  await entra.stop();
});

async function signAssertion(changes: JWTPayload = {}, key = privateKey): Promise<string> {
  const issuedAt = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, sub: subject, aud: audience, iat: issuedAt, exp: issuedAt + 60, ...changes };
  return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'one' }).sign(key);
}

async function getToken(assertion: () => Promise<string>): Promise<string> {
  const credential = new ClientAssertionCredential(tenantId, application.clientId, assertion, {
    authorityHost: entra.authorityHost,
    disableInstanceDiscovery: true,
    retryOptions: { maxRetries: 0 },
  });
  return (await credential.getToken(`${vaultResource}/.default`)).token;
}

describe('ClientAssertionCredential', () => {
  it("gets a token for another issuer's token", async () => {
    const token = await getToken(() => signAssertion());
    expect(decodeJwt(token)).toMatchObject({ appid: application.clientId, appidacr: '2' });
    await expect(entra.verify(token, vaultResource)).resolves.toMatchObject({ objectId: application.objectId });
  });

  it.each<[string, JWTPayload, string]>([
    ['issuer', { iss: 'https://other.example' }, 'AADSTS700211'],
    ['subject', { sub: subject.toUpperCase() }, 'AADSTS700213'],
    ['audience', { aud: 'api://other' }, 'AADSTS700212'],
    ['times', { exp: Math.floor(Date.now() / 1000) - 1 }, 'AADSTS700024'],
    ['times', { nbf: Math.floor(Date.now() / 1000) + 600 }, 'AADSTS700024'],
  ])('is refused with another %s', async (_what, changes, code) => {
    await expect(getToken(() => signAssertion(changes))).rejects.toThrow(code);
  });

  it('is refused when someone else signed', async () => {
    await expect(getToken(() => signAssertion({}, stranger.privateKey))).rejects.toThrow('AADSTS700027');
  });

  it('is refused when the assertion is no token', async () => {
    await expect(getToken(async () => 'not a token')).rejects.toThrow('AADSTS50027');
  });

  it("is refused while the issuer's keys can't be read", async () => {
    keysAvailable = false;
    await expect(getToken(() => signAssertion())).rejects.toThrow('AADSTS50027');
    keysAvailable = true;
    await expect(getToken(() => signAssertion())).resolves.toEqual(expect.any(String));
  });
});
