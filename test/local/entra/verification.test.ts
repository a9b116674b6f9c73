import { generateKeyPairSync } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EntraStandIn } from '../../../src/local/entra/index.ts';
import { apiResource, application, startTestEntra, tenantId, vaultResource } from './entra.ts';

let instant = new Date('2030-01-01T00:00:00Z');
let entra: EntraStandIn;

beforeAll(async () => {
  entra = await startTestEntra({ now: () => instant, tokenLifetimeSeconds: 600 });
});

afterAll(() => entra.stop());

describe('verify', () => {
  it('takes a token until the second it expires', async () => {
    const token = await entra.issueToken(application, vaultResource);
    const { exp } = decodeJwt(token);
    expect(exp).toBe(instant.getTime() / 1000 + 600);
    const issued = instant;
    instant = new Date(issued.getTime() + 599_000);
    await expect(entra.verify(token, vaultResource)).resolves.toMatchObject({ clientId: application.clientId });
    instant = new Date(issued.getTime() + 600_000);
    await expect(entra.verify(token, vaultResource)).rejects.toMatchObject({ fault: 'expired' });
  });

  it.each([
    ['audience', apiResource, {}],
    ['issuer', vaultResource, { iss: 'https://sts.windows.net/another/' }],
    ['issuer', vaultResource, { tid: '11111111-2222-4333-8444-555555555555' }],
    ['not-yet-valid', vaultResource, { nbf: 4_000_000_000, exp: 4_000_000_600 }],
    ['malformed', vaultResource, { oid: undefined }],
    ['malformed', vaultResource, { exp: undefined }],
  ])('rejects a token by its %s', async (fault, audience, claims) => {
    const token = await entra.issueToken(application, vaultResource, claims);
    await expect(entra.verify(token, audience)).rejects.toMatchObject({ name: 'TokenRejected', fault });
  });

  it('rejects what is no token', async () => {
    await expect(entra.verify('not a token', vaultResource)).rejects.toMatchObject({ fault: 'malformed' });
  });

  it('rejects a forged signature, under a known key id too', async () => {
    const genuine = await entra.issueToken(application, vaultResource);
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    for (const kid of [decodeProtectedHeader(genuine).kid ?? '', 'unknown']) {
      const forged = await new SignJWT(decodeJwt(genuine)).setProtectedHeader({ alg: 'RS256', kid }).sign(privateKey);
      await expect(entra.verify(forged, vaultResource)).rejects.toMatchObject({ fault: 'signature' });
    }
  });

  it('rejects an unsigned token', async () => {
    const [, payload] = (await entra.issueToken(application, vaultResource)).split('.');
    const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url');
    await expect(entra.verify(`${header}.${payload}.`, vaultResource)).rejects.toMatchObject({ fault: 'malformed' });
  });
});

describe('rotateKeys', () => {
  it('keeps tokens of the key before, until the next rotation', async () => {
    const keysAddress = `${entra.authorityHost}/${tenantId}/discovery/v2.0/keys`;
    const publishedIds = async () => {
      const { keys } = (await (await fetch(keysAddress)).json()) as { keys: { kid: string }[] };
      return keys.map(({ kid }) => kid);
    };
    const first = await entra.issueToken(application, vaultResource);
    const firstId = decodeProtectedHeader(first).kid;
    expect(await publishedIds()).toEqual([firstId]);

    await entra.rotateKeys();
    const secondId = decodeProtectedHeader(await entra.issueToken(application, vaultResource)).kid;
    expect(secondId).not.toBe(firstId);
    expect(await publishedIds()).toEqual([secondId, firstId]);
    await expect(entra.verify(first, vaultResource)).resolves.toMatchObject({ tenantId });

    await entra.rotateKeys();
    await expect(entra.verify(first, vaultResource)).rejects.toMatchObject({ fault: 'signature' });
  });
});
