import { ClientSecretCredential, ManagedIdentityCredential } from '@azure/identity';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EntraStandIn } from '../../../src/local/entra/index.ts';
import { createFaults } from '../../../src/local/faults.ts';
import {
  apiResource,
  application,
  otherTenantId,
  startTestEntra,
  systemAssigned,
  tenantId,
  userAssigned,
  vaultResource,
} from './entra.ts';

const scope = `${vaultResource}/.default`;
const faults = createFaults();
let entra: EntraStandIn;

beforeAll(async () => {
  entra = await startTestEntra({ faults });
  process.env.IDENTITY_ENDPOINT = entra.identityEndpoint;
  process.env.IDENTITY_HEADER = userAssigned.identityHeader;
});

afterAll(() => entra.stop());

function clientSecretCredential(changes: { tenant?: string; client?: string; secret?: string; host?: string } = {}) {
  const { tenant = tenantId, client = application.clientId, secret = 'eR%HizuCVEpAKgeaUEx' } = changes;
  return new ClientSecretCredential(tenant, client, secret, {
    authorityHost: changes.host ?? entra.authorityHost,
    disableInstanceDiscovery: true,
    retryOptions: { maxRetries: 0 },
  });
}

describe('ClientSecretCredential', () => {
  it('gets a version 1 token for a vault', async () => {
    const token = await clientSecretCredential().getToken(scope);
    expect(decodeJwt(token.token)).toMatchObject({
      aud: vaultResource,
      iss: `https://sts.windows.net/${tenantId}/`,
      appid: application.clientId,
      appidacr: '1',
      oid: application.objectId,
      tid: tenantId,
      ver: '1.0',
      idtyp: 'app',
    });
    expect(token.expiresOnTimestamp).toBeGreaterThan(Date.now() + 3_500_000);
    expect(await entra.verify(token.token, vaultResource)).toEqual({
      tenantId,
      objectId: application.objectId,
      clientId: application.clientId,
    });
  });

  it('gets a version 2 token with its roles for an API', async () => {
    const { token } = await clientSecretCredential().getToken(`${apiResource}/.default`);
    expect(decodeJwt(token)).toMatchObject({
      aud: apiResource,
      iss: `${entra.authorityHost}/${tenantId}/v2.0`,
      azp: application.clientId,
      roles: ['Keys.Read'],
      ver: '2.0',
    });
    await expect(entra.verify(token, apiResource)).resolves.toMatchObject({ clientId: application.clientId });
  });

  it('reaches the authority under its other name', async () => {
    const host = entra.authorityHost.replace('localhost', 'login.localhost');
    const { token } = await clientSecretCredential({ host }).getToken(`${apiResource}/.default`);
    expect(decodeJwt(token).iss).toBe(`${host}/${tenantId}/v2.0`);
    await expect(entra.verify(token, apiResource)).resolves.toMatchObject({ tenantId });
  });

  it.each([
    ['a wrong secret', { secret: 'not it' }, 'AADSTS7000215'],
    ['an expired secret', { secret: 'expired secret' }, 'AADSTS7000222'],
    ['an unknown application', { client: '11111111-2222-4333-8444-555555555555' }, 'AADSTS700016'],
    ['the application of another tenant', { tenant: otherTenantId }, 'AADSTS700016'],
  ])('is refused with %s', async (_what, changes, code) => {
    await expect(clientSecretCredential(changes).getToken(scope)).rejects.toThrow(code);
  });

  it('is refused with an unknown tenant', async () => {
    const tenant = '99999999-2222-4333-8444-555555555555';
    await expect(clientSecretCredential({ tenant }).getToken(scope)).rejects.toThrow(
      /AADSTS90002|endpoints_resolution/,
    );
  });

  it('takes a secret that was added later', async () => {
    const added = { ...application, clientId: '77777777-2222-4333-8444-555555555555', secrets: [{ value: 'new' }] };
    entra.putApplication(added);
    const credential = () => clientSecretCredential({ client: added.clientId, secret: 'new' }).getToken(scope);
    await expect(credential()).resolves.toHaveProperty('token');
    entra.removeApplication(added.clientId);
    await expect(credential()).rejects.toThrow('AADSTS700016');
  });

  it('suffers the faults that were asked for', async () => {
    faults.add({
      service: 'entra',
      operation: 'token',
      name: application.clientId,
      times: 1,
      fault: { kind: 'reset' },
    });
    await expect(clientSecretCredential().getToken(scope)).rejects.toThrow();
    await expect(clientSecretCredential().getToken(scope)).resolves.toHaveProperty('token');
  });
});

describe('ManagedIdentityCredential', () => {
  it('gets a token of the system-assigned identity without an id', async () => {
    const token = await new ManagedIdentityCredential().getToken(scope);
    expect(await entra.verify(token.token, vaultResource)).toEqual({
      tenantId,
      objectId: systemAssigned.objectId,
      clientId: systemAssigned.clientId,
    });
    expect(token.expiresOnTimestamp).toBeGreaterThan(Date.now() + 80_000_000);
  });

  it.each([
    ['client id', new ManagedIdentityCredential({ clientId: userAssigned.clientId })],
    ['object id', new ManagedIdentityCredential({ objectId: userAssigned.objectId })],
    ['resource id', new ManagedIdentityCredential({ resourceId: userAssigned.resourceId })],
  ])('gets a token of a user-assigned identity by %s', async (_id, credential) => {
    const { token } = await credential.getToken('https://storage.azure.com/.default');
    expect(decodeJwt(token)).toMatchObject({
      aud: 'https://storage.azure.com',
      iss: `https://sts.windows.net/${tenantId}/`,
      oid: userAssigned.objectId,
    });
  });

  it('gets the audience with the final slash that Service Bus clients ask for', async () => {
    const credential = new ManagedIdentityCredential({ clientId: userAssigned.clientId });
    const { token } = await credential.getToken('https://servicebus.azure.net//.default');
    expect(decodeJwt(token).aud).toBe('https://servicebus.azure.net/');
    await expect(entra.verify(token, 'https://servicebus.azure.net')).resolves.toMatchObject({ tenantId });
  });

  it('is refused an identity that the app does not have', async () => {
    const credential = new ManagedIdentityCredential({ clientId: application.clientId });
    await expect(credential.getToken(scope)).rejects.toThrow();
  });

  it('suffers the faults that were asked for', async () => {
    const fault = { kind: 'refuse', status: 400, message: 'no' } as const;
    const remove = faults.add({ service: 'identity', name: userAssigned.clientId, fault });
    const credential = new ManagedIdentityCredential({ clientId: userAssigned.clientId });
    await expect(credential.getToken(`${apiResource}/.default`)).rejects.toThrow();
    remove();
    await expect(credential.getToken(`${apiResource}/.default`)).resolves.toHaveProperty('token');
  });
});
