import { randomBytes } from 'node:crypto';
import type { Application, ManagedIdentity } from '../entra/index.ts';
import type { Principal } from '../principals.ts';

export const tenantId = 'cd4bf224-d114-4f96-9bbc-b8f45751c43f';

/** The application that KMS providers are configured with. */
export const providerApplication: Application = {
  tenantId,
  clientId: 'a0454cd1-e28e-405e-bc50-7477fa8a00b7',
  objectId: 'd3f1c0f6-7f5b-4c39-9b4b-2a54f1f0a0b7',
  secrets: [{ value: 'eR%HizuCVEpAKgeaUEx' }],
};

/** Client id of the application that stands for the service itself: what callers ask for tokens for. */
export const apiAudience = '3e8b5c0a-6f0e-4b5d-9a57-1d2c7f4e9b20';

/** Signs in to the service as an administrator. */
export const administratorApplication: Application = {
  tenantId,
  clientId: '6a1d9e34-2b7c-4f85-8c1e-5d0b9a3f7e21',
  objectId: 'b47c2f19-8e5a-4d06-a3f1-9c6e0d2b5a22',
  secrets: [{ value: 'lC~administrator-of-the-local-platform' }],
  appRoles: { [apiAudience]: ['Administrator'] },
};

/** Makes what a deployment makes before the service runs: the vaults' contents that the service may not make itself. */
export const deployer: Principal = {
  tenantId,
  clientId: 'e5a3f9d2-4b0e-4e0f-8a39-8d1f5b7a6c10',
  objectId: '1f0b7a6e-8c2d-4d57-9d0b-6f3f9c5e2b10',
};

/** The service's own identity, user-assigned. */
export interface Identities {
  service: ManagedIdentity;
  /** For other programs on this machine: a system-assigned identity behind a header of its own. */
  developer: ManagedIdentity;
}

/** @returns the managed identities with fresh identity headers. */
export function createIdentities(): Identities {
  return {
    service: {
      tenantId,
      kind: 'user-assigned',
      clientId: '7c2f3b34-5a4d-4a0a-9f4e-6d0a4f1e8c01',
      objectId: '9b6f6c52-0f5a-4b43-8f0c-3e7e0a9d4c01',
      identityHeader: randomBytes(24).toString('base64url'),
    },
    developer: {
      tenantId,
      kind: 'system-assigned',
      clientId: '52d9c3d8-6c0f-4a2e-9a51-0b8f2f7d5d02',
      objectId: '0e4a7b90-3f1d-4c68-bd2e-7c1a5f9e3d02',
      identityHeader: randomBytes(24).toString('base64url'),
    },
  };
}
