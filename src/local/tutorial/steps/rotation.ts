import type { Paths, Tools } from '../context.ts';
import { fingerprintOfPem } from '../public-keys.ts';
import type { Distribution } from '../shapes.ts';
import { distributionShape, keyShape } from '../shapes.ts';
import { checkedPublicKey } from './keys.ts';
import { checkVersion, readFromVault } from './vault-contents.ts';

/**
 * Rotates rsa-1.
 * @returns the public key of version 2, in PEM
 */
export async function rotate({ report, service }: Tools, paths: Paths, firstPublicKeyPem: string): Promise<string> {
  await report.step('Rotate rsa-1', () =>
    service.changeVaults(
      { verb: 'write', force: true, path: `${paths.key('rsa-1')}/rotate`, fields: [] },
      paths.distribution('rsa-1'),
    ),
  );

  return report.step('Confirm the rotation', async () => {
    const key = await service.get({ verb: 'read', path: paths.key('rsa-1') }, keyShape);
    report.equal('latest_version', key.latest_version, 2);
    report.equal('versions', Object.keys(key.versions), ['1', '2']);
    const first = fingerprintOfPem(checkedPublicKey(report, key, 1));
    report.equal('public key of version 1, as before', first, fingerprintOfPem(firstPublicKeyPem));
    const secondPublicKeyPem = checkedPublicKey(report, key, 2);
    report.differs('public key of version 2, a new one', fingerprintOfPem(secondPublicKeyPem), first);
    return secondPublicKeyPem;
  });
}

/**
 * Looks at both versions in the vault.
 * @returns the distribution with both
 */
export async function inspectRotation(
  tools: Tools,
  paths: Paths,
  publicKeyPems: { first: string; second: string },
): Promise<Distribution> {
  const { report, service, keyVault } = tools;
  return report.step('See both versions of rsa-1 in the vault', async () => {
    const distribution = await service.get({ verb: 'read', path: paths.distribution('rsa-1') }, distributionShape);
    report.equal('distributed versions', Object.keys(distribution.versions), ['1', '2']);
    const { '1': first, '2': second } = distribution.versions;

    report.action(`> listPropertiesOfKeyVersions('${distribution.name}')`);
    const versions = await keyVault.versions(distribution.name);
    report.equal('versions in the vault', versions.toSorted(), [first, second].filter(isText).toSorted());

    const current = await readFromVault(tools, distribution.name);
    checkVersion(tools, 'rsa-1', current, { version: second, publicKeyPem: publicKeyPems.second });
    const older = await readFromVault(tools, distribution.name, first);
    checkVersion(tools, 'rsa-1', older, { version: first, publicKeyPem: publicKeyPems.first });
    return distribution;
  });
}

function isText(value: string | undefined): value is string {
  return value !== undefined;
}
