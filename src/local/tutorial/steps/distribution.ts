import { providerApplication } from '../../platform/identities.ts';
import type { Field } from '../commands.ts';
import type { KeyName, Paths, Tools } from '../context.ts';
import type { Distribution } from '../shapes.ts';
import { distributionShape, listShape, providerShape } from '../shapes.ts';

/** The vault that the scenario uses. */
export const vaultName = 'learn-keyvault';

/** What each key shall be good for, as it is written and as it reads back. */
const purposes = {
  'rsa-1': { written: 'encrypt,decrypt', read: 'decrypt,encrypt' },
  'rsa-2': { written: 'sign', read: 'sign' },
} as const;

/** Tells the service which vault it shall manage, and as whom. */
export async function writeProvider({ report, service }: Tools, paths: Paths): Promise<void> {
  const fields: Field[] = [
    ['provider', 'azurekeyvault'],
    ['key_collection', vaultName],
    ['credentials', `client_id=${providerApplication.clientId}`],
    ['credentials', `client_secret=${providerApplication.secrets?.[0]?.value}`],
    ['credentials', `tenant_id=${providerApplication.tenantId}`],
  ];
  await report.step('Create the KMS provider', async () => {
    await service.change({ verb: 'write', path: paths.provider, fields });
    const provider = await service.get({ verb: 'read', path: paths.provider }, providerShape);
    report.equal('reads back, without the credentials', provider, {
      provider: 'azurekeyvault',
      key_collection: vaultName,
    });
  });
}

/** Distributes a key to the vault. */
export async function distribute({ report, service }: Tools, paths: Paths, name: KeyName): Promise<Distribution> {
  const path = paths.distribution(name);
  const { written, read } = purposes[name];
  return report.step(`Distribute ${name} to the vault, for ${written} alone`, async () => {
    const fields: Field[] = [
      ['purpose', written],
      ['protection', 'hsm'],
    ];
    await service.changeVaults({ verb: 'write', path, fields }, path);
    const distribution = await service.get({ verb: 'read', path }, distributionShape);
    report.matches('name in the vault', distribution.name, new RegExp(`^${name}-\\d+$`));
    report.equal('purpose', distribution.purpose, read);
    report.equal('protection', distribution.protection, 'hsm');
    report.equal('distributed versions', Object.keys(distribution.versions), ['1']);
    return distribution;
  });
}

export async function listDistributed({ report, service }: Tools, paths: Paths): Promise<void> {
  await report.step('List the keys that are distributed to the vault', async () => {
    const listed = await service.get({ verb: 'list', path: `${paths.provider}/key` }, listShape);
    report.equal('keys', listed, ['rsa-1', 'rsa-2']);
  });
}
