import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Platform } from '../platform/index.ts';

/** Where other programs on this machine find a running platform, e.g. the tutorial. */
export interface LocalFile {
  /** Address of the API. */
  api: string;
  /** Root token. */
  token: string;
  /** Name -> `https://localhost:<port>`. */
  vaults: Record<string, string>;
  caFile: string;
  /** For IDENTITY_ENDPOINT and IDENTITY_HEADER of programs that act as the developer. */
  identityEndpoint: string;
  identityHeader: string;
  /** Fully qualified namespace. */
  serviceBus: string;
  /** Endpoint of the storage account's tables. */
  tables: string;
}

/** @returns what to write about `platform`, whose API is at `api`. */
export function describePlatform(platform: Platform, api: string): LocalFile {
  return {
    api,
    token: platform.rootToken,
    vaults: Object.fromEntries(platform.vaults),
    caFile: platform.caFile,
    identityEndpoint: platform.developer.identityEndpoint,
    identityHeader: platform.developer.identityHeader,
    serviceBus: platform.serviceBus,
    tables: platform.tables,
  };
}

/**
 * Writes `content` to `path`, readable by its owner alone.
 * @returns removes the file, unless another platform has written its own since
 */
export async function writeLocalFile(path: string, content: LocalFile): Promise<() => Promise<void>> {
  const text = `${JSON.stringify(content, null, 2)}\n`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  // The mode of a file that exists already would stay as it is.
  await rm(path, { force: true });
  await writeFile(path, text, { mode: 0o600 });
  return async () => {
    const current = await readFile(path, 'utf8').catch(() => undefined);
    if (current === text) await rm(path, { force: true });
  };
}
