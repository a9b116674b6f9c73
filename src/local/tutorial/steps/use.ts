import { constants, verify } from 'node:crypto';
import type { Tools } from '../context.ts';

/** Something that one version of a key encrypted. */
export interface Encrypted {
  kmsName: string;
  /** The vault's id of the version. */
  version: string;
  text: string;
  bytes: Uint8Array;
}

export async function encryptInVault(
  { report, keyVault }: Tools,
  { kmsName, version }: { kmsName: string; version: string },
): Promise<Encrypted> {
  return report.step('Encrypt something with version 1 of rsa-1 in the vault', async () => {
    const text = `written under version 1 at ${new Date().toISOString()}`;
    report.action(`> encrypt('RSA-OAEP-256', '${text}')`);
    const bytes = await keyVault.encrypt(kmsName, version, text);
    report.equal('encrypted bytes', bytes.length, 256);
    return { kmsName, version, text, bytes };
  });
}

export async function decryptInVault(tools: Tools, encrypted: Encrypted): Promise<void> {
  await tools.report.step('Decrypt with version 1 what was encrypted before the rotation', () =>
    checkDecryption(tools, encrypted, encrypted.text),
  );
}

/** `expected`: the text, or what the vault says instead. */
export async function checkDecryption(
  { report, keyVault }: Tools,
  { kmsName, version, bytes }: Encrypted,
  expected: string,
): Promise<void> {
  report.action(`> decrypt('RSA-OAEP-256', <${bytes.length} bytes>)   with version ${version}`);
  report.equal('decrypted', await keyVault.decrypt(kmsName, version, bytes), expected);
}

export async function signInVault(
  { report, keyVault }: Tools,
  { kmsName, version, publicKeyPem }: { kmsName: string; version: string; publicKeyPem: string },
): Promise<void> {
  await report.step('Sign with rsa-2 in the vault, verify with the public key that the service reads', async () => {
    const text = 'signed in the vault';
    report.action(`> signData('PS256', '${text}')`);
    const signature = await keyVault.sign(kmsName, version, text);
    const key = {
      key: publicKeyPem,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    };
    const judge = (signed: string) => (verify('sha256', Buffer.from(signed), key, signature) ? 'valid' : 'invalid');
    report.equal('signature of that text', judge(text), 'valid');
    report.equal('the same signature of another text', judge(`${text}, and changed`), 'invalid');
  });
}
