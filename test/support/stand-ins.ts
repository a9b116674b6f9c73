import { randomUUID } from 'node:crypto';
import tls from 'node:tls';
import type { TokenCredential } from '@azure/core-auth';
import { createCertificates, type Certificates } from '../../src/local/certificates.ts';
import { startEntra, type EntraStandIn } from '../../src/local/entra/index.ts';
import { createFaults } from '../../src/local/faults.ts';
import type { Principal } from '../../src/local/principals.ts';
import { startTables } from '../../src/local/tables.ts';
import { azureTables } from '../../src/state/index.ts';
import type { Table } from '../../src/state/table.ts';

export const tenantId = 'cd4bf224-d114-4f96-9bbc-b8f45751c43f';
export const vaultResource = 'https://vault.localhost';

export function newPrincipal(): Principal {
  return { tenantId, objectId: randomUUID(), clientId: randomUUID() };
}

/** Makes this process trust the authority, as NODE_EXTRA_CA_CERTS would have. */
export function trust(certificates: Certificates): void {
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), certificates.caCertificate]);
}

export interface Directory {
  certificates: Certificates;
  entra: EntraStandIn;
  /** Signs in as `principal` to whatever the client asks for. */
  credentialOf(principal: Principal): TokenCredential;
}

/** Certificates that this process trusts, and an Entra. */
export async function startDirectory(): Promise<Directory> {
  const certificates = await createCertificates();
  trust(certificates);
  const entra = await startEntra({
    tenants: [tenantId],
    applications: [],
    managedIdentities: [],
    resources: [{ audience: vaultResource, tokenVersion: 1 }],
    tls: certificates,
    faults: createFaults(),
    now: () => new Date(),
  });
  return {
    certificates,
    entra,
    credentialOf: (principal) => ({
      async getToken(scopes) {
        const audience = [scopes].flat()[0]?.replace(/\/\.default$/, '') ?? '';
        return { token: await entra.issueToken(principal, audience), expiresOnTimestamp: Date.now() + 3_600_000 };
      },
    }),
  };
}

/** The real Table Storage room, over Azurite. */
export async function openAzurite(
  directory: Directory,
): Promise<{ openTable: (name: string) => Table; stop(): Promise<void> }> {
  const tables = await startTables({ tls: directory.certificates });
  const openTable = azureTables({ endpoint: tables.url, credential: directory.credentialOf(newPrincipal()) });
  return { openTable, stop: () => tables.stop() };
}
