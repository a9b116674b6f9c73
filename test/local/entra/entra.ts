import { createCertificates, trustInThisProcess } from '../../../src/local/certificates.ts';
import type { EntraOptions, EntraStandIn } from '../../../src/local/entra/index.ts';
import { startEntra } from '../../../src/local/entra/index.ts';
import { createFaults } from '../../../src/local/faults.ts';
import { installLoopbackNames } from '../../../src/local/loopback-names.ts';

export const tenantId = 'cd4bf224-d114-4f96-9bbc-b8f45751c43f';
export const otherTenantId = '6f1f5aac-51c5-4f6e-8d4b-0f6b1f6fbc70';
export const vaultResource = 'https://vault.localhost';
export const apiResource = '5c3cf0d2-3b3c-4a8f-8a7e-1f54c2b3a001';

export const application = {
  tenantId,
  clientId: 'a0454cd1-e28e-405e-bc50-7477fa8a00b7',
  objectId: '8c3f4d8e-9e0c-4a1b-bb1f-0a8d54a4c0de',
  secrets: [{ value: 'eR%HizuCVEpAKgeaUEx' }, { value: 'expired secret', expiresAt: new Date('2020-01-01T00:00:00Z') }],
  appRoles: { [apiResource]: ['Keys.Read'] },
} as const;

export const userAssigned = {
  tenantId,
  kind: 'user-assigned',
  identityHeader: 'header of the app',
  clientId: '0c1c0a0f-4a34-4f7e-a9a5-0e7f1d7d1a11',
  objectId: '2f7a9f3e-6a69-4bb9-90a4-e6f7f6a0b222',
  resourceId: '/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/service',
} as const;

export const systemAssigned = {
  tenantId,
  kind: 'system-assigned',
  identityHeader: 'header of the app',
  clientId: '3e3b51f6-8d3f-4d6b-9a58-0f0c6c0de333',
  objectId: '4a4fb9d0-5a2b-4f3c-8a1e-7f0c6c0de444',
} as const;

/** Starts Entra as the tests need it; this process trusts its certificate and resolves its names. */
export async function startTestEntra(options: Partial<EntraOptions> = {}): Promise<EntraStandIn> {
  const tls = options.tls ?? (await createCertificates());
  trustInThisProcess(tls.caCertificate);
  installLoopbackNames({ domains: ['localhost'], zones: {} });
  return startEntra({
    tenants: [tenantId, otherTenantId],
    applications: [application],
    managedIdentities: [userAssigned, systemAssigned],
    resources: [
      { audience: vaultResource, tokenVersion: 1 },
      { audience: apiResource, tokenVersion: 2 },
    ],
    tls,
    faults: createFaults(),
    now: () => new Date(),
    ...options,
  });
}

/** Asks a token endpoint as a form and returns status and JSON. */
export async function askForToken(
  authority: string,
  form: Record<string, string>,
  path = `${tenantId}/oauth2/v2.0/token`,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${authority}/${path}`, { method: 'POST', body: new URLSearchParams(form) });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
