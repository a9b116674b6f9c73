import { X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Certificates } from '../certificates.ts';
import { createCertificates } from '../certificates.ts';

/** What a platform keeps between two starts, beside its tables. All files are readable by their owner alone. */
export interface DataDirectory {
  path: string;
  /** The certificates of the last start, or new ones if those are missing, near their end or lack one of the names. */
  certificates(dnsNames: readonly string[]): Promise<Certificates>;
  /**
   * The vaults' port is part of every key's identifier, which the tables hold: once it was `port`, it stays.
   * @returns the port of the first start, or `port` if this is the first
   */
  keyVaultPort(port: number): Promise<number>;
  /** Makes `port` the one of every later start, unless there is one already. */
  keepKeyVaultPort(port: number): Promise<void>;
  readKeyVault(): Promise<Uint8Array | undefined>;
  writeKeyVault(snapshot: Uint8Array): Promise<void>;
}

interface StoredCertificates {
  dnsNames: readonly string[];
  certificates: Certificates;
}

const renewBeforeMilliseconds = 7 * 86_400_000;

/** Opens or makes the directory. */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const certificatesFile = join(path, 'certificates.json');
  const keyVaultFile = join(path, 'key-vault.bin');
  const portFile = join(path, 'key-vault-port');
  const readPort = async (): Promise<string | undefined> => (await readIfPresent(portFile))?.toString('utf8');

  return {
    path,
    async certificates(dnsNames) {
      const text = await readIfPresent(certificatesFile);
      const stored = text && (JSON.parse(text.toString('utf8')) as StoredCertificates);
      if (stored && isUsable(stored, dnsNames)) return stored.certificates;
      const certificates = await createCertificates({ dnsNames });
      await replaceFile(certificatesFile, JSON.stringify({ dnsNames, certificates } satisfies StoredCertificates));
      return certificates;
    },
    keyVaultPort: async (port) => Number((await readPort()) ?? port),
    async keepKeyVaultPort(port) {
      if ((await readPort()) === undefined) await replaceFile(portFile, String(port));
    },
    readKeyVault: () => readIfPresent(keyVaultFile),
    writeKeyVault: (snapshot) => replaceFile(keyVaultFile, snapshot),
  };
}

function isUsable({ dnsNames, certificates }: StoredCertificates, wanted: readonly string[]): boolean {
  const end = new X509Certificate(certificates.certificate).validToDate.getTime();
  return end - Date.now() > renewBeforeMilliseconds && wanted.every((name) => dnsNames.includes(name));
}

async function readIfPresent(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A file that is read later must be whole, whenever the process ends. */
async function replaceFile(file: string, content: string | Uint8Array): Promise<void> {
  await writeFile(`${file}.new`, content, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
