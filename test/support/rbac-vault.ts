import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KeyClient } from '@azure/keyvault-keys';
import { createCertificates, trustInThisProcess } from '../../src/local/certificates.ts';
import { startKeyVault, type KeyVaultStandIn } from '../../src/local/key-vault/index.ts';
import { loopbackNamesVariable, type LoopbackNames } from '../../src/local/loopback-names.ts';
import { providerApplication, tenantId, type Platform } from '../../src/local/platform/index.ts';
import { createRsaKeys } from './rsa-keys.ts';

/** A vault of the RBAC model beside the platform's vaults, which all use access policies. */
export interface RbacVault {
  /** Name of the cloud that it is in: `environment` of a provider's credentials. */
  cloud: string;
  keyVault: KeyVaultStandIn;
  /** May do everything there. */
  client: KeyClient;
  /** Of a host that shall reach it. */
  settings: Record<string, string>;
}

export async function startRbacVault(platform: Platform, name: string): Promise<RbacVault> {
  const cloud = 'AzureRbacCloud';
  const certificates = await createCertificates();
  trustInThisProcess(certificates.caCertificate);
  const caFile = join(dirname(platform.caFile), 'ca-with-rbac.pem');
  await writeFile(caFile, `${platform.ca}\n${certificates.caCertificate}`);

  const administrator = { tenantId, clientId: crypto.randomUUID(), objectId: crypto.randomUUID() };
  const keyVault = await startKeyVault({
    vaults: [
      {
        name,
        sku: 'premium',
        tenantId,
        access: {
          model: 'rbac',
          grants: { [providerApplication.objectId]: {}, [administrator.objectId]: { dataActions: ['*'] } },
        },
      },
    ],
    tls: { key: certificates.privateKey, cert: certificates.certificate },
    verify: platform.entra.verify,
    authorityHost: platform.entra.authorityHost,
    faults: platform.faults,
    now: () => new Date(),
    generateRsaKey: createRsaKeys(),
  });

  const names = JSON.parse(platform.settings[loopbackNamesVariable] ?? '') as LoopbackNames;
  const zone = 'vault.localhost';
  const withVault = { ...names, zones: { ...names.zones, [zone]: [...(names.zones[zone] ?? []), name] } };
  const clouds = JSON.parse(platform.settings.KEYFLEET_CLOUDS ?? '') as Record<string, unknown>;
  const endpoints = { authorityHost: platform.entra.authorityHost, keyVaultDnsSuffix: `${zone}:${keyVault.port}` };
  return {
    cloud,
    keyVault,
    client: new KeyClient(
      keyVault.vaults.get(name)?.url ?? '',
      {
        getToken: async () => ({
          token: await platform.entra.issueToken(administrator, `https://${zone}`),
          expiresOnTimestamp: Date.now() + 3_000_000,
        }),
      },
      { disableChallengeResourceVerification: true },
    ),
    settings: {
      NODE_EXTRA_CA_CERTS: caFile,
      KEYFLEET_CLOUDS: JSON.stringify({ ...clouds, [cloud]: endpoints }),
      [loopbackNamesVariable]: JSON.stringify(withVault),
    },
  };
}
