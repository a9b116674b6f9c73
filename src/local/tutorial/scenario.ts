import type { KeyName, Tools } from './context.ts';
import { pathsBelow } from './context.ts';
import { distribute, listDistributed, writeProvider } from './steps/distribution.ts';
import { enableEngine } from './steps/engine.ts';
import { readKeys, writeKeys } from './steps/keys.ts';
import { disableOldVersion, enableOldVersion, removeFromVault } from './steps/life-cycle.ts';
import { inspectRotation, rotate } from './steps/rotation.ts';
import { decryptInVault, encryptInVault, signInVault } from './steps/use.ts';
import { inspectInVault } from './steps/vault-contents.ts';

/**
 * Goes through the scenario from its first step to its last.
 * @returns the mount at which everything is left
 * @throws FalseCheck at the first check that is false; the report has told it by then
 */
export async function goThrough(tools: Tools): Promise<string> {
  const mount = await enableEngine(tools);
  const paths = pathsBelow(mount);
  await writeKeys(tools, paths);
  const publicKeyPems = await readKeys(tools, paths);
  await writeProvider(tools, paths);
  const distributions = {
    'rsa-1': await distribute(tools, paths, 'rsa-1'),
    'rsa-2': await distribute(tools, paths, 'rsa-2'),
  };
  await listDistributed(tools, paths);
  for (const name of ['rsa-1', 'rsa-2'] as const) {
    await inspectInVault(tools, name, { distribution: distributions[name], publicKeyPem: publicKeyPems[name] });
  }

  const encrypted = await encryptInVault(tools, firstVersion('rsa-1'));
  const secondPublicKeyPem = await rotate(tools, paths, publicKeyPems['rsa-1']);
  const distribution = await inspectRotation(tools, paths, {
    first: publicKeyPems['rsa-1'],
    second: secondPublicKeyPem,
  });
  await decryptInVault(tools, encrypted);
  await signInVault(tools, { ...firstVersion('rsa-2'), publicKeyPem: publicKeyPems['rsa-2'] });

  await disableOldVersion(tools, paths, { distribution, encrypted });
  await enableOldVersion(tools, paths, { distribution, encrypted });
  await removeFromVault(tools, paths, distributions['rsa-2'].name);
  return mount;

  function firstVersion(name: KeyName): { kmsName: string; version: string } {
    const { name: kmsName, versions } = distributions[name];
    return { kmsName, version: versions['1'] ?? '' };
  }
}
