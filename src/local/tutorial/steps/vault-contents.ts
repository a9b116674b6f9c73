import type { KeyName, Tools } from '../context.ts';
import { FalseCheck } from '../false-check.ts';
import type { VaultKey } from '../key-vault.ts';
import { fingerprintOfPem } from '../public-keys.ts';
import type { Distribution } from '../shapes.ts';

/** What a key may be used for in the vault: sorted, and nothing else. */
const operations: Record<KeyName, string[]> = { 'rsa-1': ['decrypt', 'encrypt'], 'rsa-2': ['sign'] };

/** Reads a key from the vault, the current version unless told which. @throws FalseCheck if it isn't there */
export async function readFromVault({ report, keyVault }: Tools, kmsName: string, version?: string): Promise<VaultKey> {
  report.action(`> getKey('${kmsName}'${version === undefined ? '' : `, { version: '${version}' }`})`);
  const found = await keyVault.key(kmsName, version);
  if (found !== undefined) return found;
  throw new FalseCheck({ what: kmsName, expected: 'a key in the vault', seen: 'none' });
}

/** Compares a version of a key in the vault with what it should be there. */
export function checkVersion(
  { report }: Tools,
  name: KeyName,
  seen: VaultKey,
  expected: { version: string | undefined; publicKeyPem: string },
): void {
  report.equal('version', seen.version, expected.version ?? 'none');
  report.equal('type', seen.keyType, 'RSA-HSM');
  report.equal('operations', seen.operations, operations[name]);
  report.equal('enabled', seen.enabled, true);
  report.equal('public key, equal to what the service reads', seen.publicKey, fingerprintOfPem(expected.publicKeyPem));
}

/** Looks at a key that was just distributed. */
export async function inspectInVault(
  tools: Tools,
  name: KeyName,
  { distribution, publicKeyPem }: { distribution: Distribution; publicKeyPem: string },
): Promise<void> {
  await tools.report.step(`See ${name} in the vault with Azure's own client`, async () => {
    const seen = await readFromVault(tools, distribution.name);
    checkVersion(tools, name, seen, { version: distribution.versions['1'], publicKeyPem });
  });
}
