import type { Paths, Tools } from '../context.ts';
import type { Distribution } from '../shapes.ts';
import { keyShape, listShape } from '../shapes.ts';
import type { Encrypted } from './use.ts';
import { checkDecryption } from './use.ts';
import { readFromVault } from './vault-contents.ts';

interface Rotated {
  /** Of rsa-1, with both versions. */
  distribution: Distribution;
  /** Under version 1. */
  encrypted: Encrypted;
}

/** Disables version 1 of rsa-1. */
export async function disableOldVersion(tools: Tools, paths: Paths, rotated: Rotated): Promise<void> {
  await tools.report.step('Disable the versions of rsa-1 below 2', async () => {
    await setMinimum(tools, paths, 2);
    await checkEnabled(tools, rotated.distribution, { '1': false, '2': true });
    await checkReadable(tools, paths, ['2']);
    await checkDecryption(tools, rotated.encrypted, 'refused with 403');
  });
}

/** Enables version 1 of rsa-1 again. */
export async function enableOldVersion(tools: Tools, paths: Paths, rotated: Rotated): Promise<void> {
  await tools.report.step('Enable all versions of rsa-1 again', async () => {
    await setMinimum(tools, paths, 0);
    await checkEnabled(tools, rotated.distribution, { '1': true, '2': true });
    await checkReadable(tools, paths, ['1', '2']);
    await checkDecryption(tools, rotated.encrypted, rotated.encrypted.text);
  });
}

async function setMinimum({ service }: Tools, paths: Paths, version: number): Promise<void> {
  await service.changeVaults(
    { verb: 'write', path: paths.key('rsa-1'), fields: [['min_enabled_version', String(version)]] },
    paths.distribution('rsa-1'),
  );
}

async function checkEnabled(
  tools: Tools,
  { name, versions }: Distribution,
  expected: Record<'1' | '2', boolean>,
): Promise<void> {
  for (const version of ['1', '2'] as const) {
    const seen = await readFromVault(tools, name, versions[version]);
    tools.report.equal(`version ${version} is enabled in the vault`, seen.enabled, expected[version]);
  }
}

/** Versions that are disabled aren't read. */
async function checkReadable({ report, service }: Tools, paths: Paths, expected: string[]): Promise<void> {
  const key = await service.get({ verb: 'read', path: paths.key('rsa-1') }, keyShape);
  report.equal('versions', Object.keys(key.versions), expected);
  report.equal('latest_version', key.latest_version, 2);
}

/** Removes rsa-2 from the vault, not from the service. */
export async function removeFromVault(tools: Tools, paths: Paths, kmsName: string): Promise<void> {
  const { report, service, keyVault } = tools;
  await report.step('Remove rsa-2 from the vault', async () => {
    const path = paths.distribution('rsa-2');
    await service.changeVaults({ verb: 'delete', path }, path);
    await service.absent(path);
    const listed = await service.get({ verb: 'list', path: `${paths.provider}/key` }, listShape);
    report.equal('keys of the provider', listed, ['rsa-1']);

    report.action(`> getKey('${kmsName}')`);
    report.equal('in the vault', await keyVault.key(kmsName), undefined);
    report.action(`> getDeletedKey('${kmsName}')`);
    report.equal('recoverable among the deleted keys', await keyVault.isDeleted(kmsName), true);

    const key = await service.get({ verb: 'read', path: paths.key('rsa-2') }, keyShape);
    report.equal('latest_version of the key that the service keeps', key.latest_version, 1);
  });
}
