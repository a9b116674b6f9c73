import { randomUUID } from 'node:crypto';
import { ClientSecretCredential } from '@azure/identity';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Application } from '../../src/local/entra/index.ts';
import { administratorApplication, apiAudience, tenantId } from '../../src/local/platform/index.ts';
import { startService, vaultOf, type Service } from '../support/service.ts';

let service: Service;
const logged: string[] = [];

beforeAll(async () => {
  service = await startService({ log: (entry) => void logged.push(JSON.stringify(entry)) });
});

afterAll(() => service.stop());

/** Signs in at Entra as programs do, with Azure's own library. */
async function tokenOf({ clientId, secrets }: Application): Promise<string> {
  const { authorityHost } = service.platform.entra;
  const options = { authorityHost, disableInstanceDiscovery: true };
  const credential = new ClientSecretCredential(tenantId, clientId, secrets?.[0]?.value ?? '', options);
  return (await credential.getToken(`${apiAudience}/.default`)).token;
}

function newApplication(...roles: string[]): Application {
  const application = {
    tenantId,
    clientId: randomUUID(),
    objectId: randomUUID(),
    secrets: [{ value: randomUUID() }],
    appRoles: { [apiAudience]: roles },
  };
  service.platform.entra.putApplication(application);
  return application;
}

const denied = { status: 403, body: { errors: ['1 error occurred:\n\t* permission denied\n\n'] } };

describe("an application with Entra's token", () => {
  test('does what its roles allow, and nothing of it is logged', async () => {
    const administrator = vaultOf(service.host, await tokenOf(administratorApplication));
    expect((await administrator('POST', 'sys/mounts/team/keys', { type: 'keymgmt' })).status).toBe(204);

    const operatorToken = await tokenOf(newApplication('KeyOperator'));
    const operator = vaultOf(service.host, operatorToken);
    expect((await operator('POST', 'team/keys/key/a', { type: 'rsa-2048' })).status).toBe(204);
    expect(await operator('POST', 'sys/mounts/other', { type: 'keymgmt' })).toMatchObject(denied);

    const reader = vaultOf(service.host, await tokenOf(newApplication('Reader')));
    expect((await reader('GET', 'team/keys/key/a')).body.data).toMatchObject({ name: 'a', latest_version: 1 });
    expect(await reader('POST', 'team/keys/key/a/rotate')).toMatchObject(denied);

    const nobody = vaultOf(service.host, await tokenOf(newApplication()));
    expect(await nobody('GET', 'team/keys/key/a')).toMatchObject(denied);

    const forged = vaultOf(service.host, `${operatorToken.slice(0, -20)}${'A'.repeat(20)}`);
    const errors = ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'];
    expect(await forged('GET', 'team/keys/key/a')).toMatchObject({ status: 403, body: { errors } });
    for (const part of operatorToken.split('.')) expect(logged.join('\n')).not.toContain(part);
  });

  test('signs in for a token of ours, and out', async () => {
    const application = newApplication();
    const role = {
      bound_audiences: apiAudience,
      bound_claims: { azp: application.clientId },
      token_policies: 'keyfleet-auditor',
      token_ttl: '5m',
    };
    expect((await service.vault('PUT', 'auth/jwt/role/ci', role)).status).toBe(204);
    const stranger = vaultOf(service.host, 'hvs.out-of-date');
    const login = { role: 'ci', jwt: await tokenOf(application) };
    const { body } = await stranger('PUT', 'auth/jwt/login', login);
    const { client_token: token } = body.auth as { client_token: string };
    const auditor = vaultOf(service.host, token);
    expect((await auditor('GET', 'auth/token/lookup-self')).body.data).toMatchObject({
      display_name: `jwt-${application.objectId}`,
      policies: ['default', 'keyfleet-auditor'],
    });
    expect((await auditor('GET', 'sys/policies/acl?list=true')).status).toBe(200);
    expect((await auditor('PUT', 'auth/token/revoke-self')).status).toBe(204);
    expect((await auditor('GET', 'auth/token/lookup-self')).status).toBe(403);
  });
});

test('without an audience nobody signs in, everybody is told why, and the root token works', async () => {
  const lines: string[] = [];
  const host = await service.startHost({
    settings: { KEYFLEET_AUDIENCE: '' },
    log: (entry) => void lines.push(JSON.stringify(entry)),
  });
  const reason = 'callers cannot sign in with Entra tokens: KEYFLEET_AUDIENCE not set';
  const administrator = vaultOf(host, await tokenOf(administratorApplication));
  expect(await administrator('GET', 'sys/mounts')).toMatchObject({ status: 503, body: { errors: [reason] } });
  expect(lines.join('\n')).toContain(reason);
  expect((await administrator('GET', 'sys/health')).body).toMatchObject({ sealed: false, warnings: [reason] });
  expect((await vaultOf(host, service.platform.rootToken)('GET', 'sys/mounts')).status).toBe(200);
});
