import { randomUUID } from 'node:crypto';
import type { TokenCredential } from '@azure/identity';
import { KeyClient, type KeyClientOptions } from '@azure/keyvault-keys';
import { createCertificates, trustInThisProcess } from '../../../../src/local/certificates.ts';
import { createFaults } from '../../../../src/local/faults.ts';
import {
  startKeyVault,
  type KeyVaultOptions,
  type KeyVaultStandIn,
  type VaultOptions,
} from '../../../../src/local/key-vault/index.ts';
import { installLoopbackNames } from '../../../../src/local/loopback-names.ts';
import { TokenRejected, type Principal, type VerifyToken } from '../../../../src/local/principals.ts';

export const tenantId = 'cd4bf224-d114-4f96-9bbc-b8f45751c43f';
export const authorityHost = 'https://login.localhost';

/** Everybody who calls a vault in these tests. Their tokens are their names. */
export const principals = {
  admin: principal(),
  nobody: principal(),
  cryptoUser: principal(),
  reader: principal(),
  custom: principal(),
  foreigner: { ...principal(), tenantId: '11111111-2222-3333-4444-555555555555' },
};

export type PrincipalName = keyof typeof principals;

function principal(): Principal {
  return { tenantId, objectId: randomUUID(), clientId: randomUUID() };
}

/** Tokens read `<principal>` or `<principal>.<serial>`; `audience:` before it asks for a rejection of that kind. */
export const verify: VerifyToken = async (token, audience) => {
  const [, fault, name] = /^(?:(audience|expired|issuer|signature):)?([a-z]+)/i.exec(token) ?? [];
  if (fault) throw new TokenRejected(fault as 'audience', `as asked for, audience ${audience}`);
  if (!name || !Object.hasOwn(principals, name)) throw new TokenRejected('malformed', 'not a token');
  return principals[name as PrincipalName];
};

export const adminAccess: VaultOptions['access'] = {
  model: 'access-policy',
  grants: { [principals.admin.objectId]: { keys: ['all'], secrets: ['all'] } },
};

export const premiumVault: VaultOptions = {
  name: 'premium-vault',
  sku: 'premium',
  tenantId,
  softDeleteRetentionDays: 7,
  access: adminAccess,
};

/** The clock that the vaults see: real time plus what a test adds to it. */
export function createClock() {
  let offset = 0;
  return {
    now: () => new Date(Date.now() + offset),
    advance: (milliseconds: number) => void (offset += milliseconds),
  };
}

export type TestVaults = KeyVaultStandIn & { stop(): Promise<void> };

/** Starts vaults that this process trusts and whose names it resolves. */
export async function startVaults(options: Partial<KeyVaultOptions> & Pick<KeyVaultOptions, 'vaults'>) {
  const certificates = await createCertificates();
  trustInThisProcess(certificates.caCertificate);
  const faults = createFaults();
  const clock = createClock();
  const keyVault = await startKeyVault({
    tls: { key: certificates.privateKey, cert: certificates.certificate },
    verify,
    authorityHost,
    faults,
    now: clock.now,
    ...options,
  });
  const remove = installLoopbackNames({
    domains: [],
    zones: { 'vault.localhost': options.vaults.map((vault) => vault.name) },
  });
  return {
    ...keyVault,
    faults,
    clock,
    addressOf(vaultName: string) {
      const address = keyVault.vaults.get(vaultName);
      if (!address) throw new Error(`no vault ${vaultName}`);
      return address;
    },
    async stop() {
      remove();
      await keyVault.stop();
    },
  };
}

/** Gives out the tokens that {@link verify} knows, and notes what it was asked. */
export function createCredential(token: string | (() => string)): TokenCredential & { asked: unknown[][] } {
  const asked: unknown[][] = [];
  return {
    asked,
    getToken: async (...request) => {
      asked.push(request);
      return {
        token: typeof token === 'string' ? token : token(),
        expiresOnTimestamp: Date.now() + 3_600_000,
      };
    },
  };
}

/** A client of the real SDK. Retries are off unless asked for, so that every error shows itself. */
export function keyClient(url: string, token: PrincipalName = 'admin', options: KeyClientOptions = {}): KeyClient {
  return new KeyClient(url, createCredential(token), { retryOptions: { maxRetries: 0 }, ...options });
}
