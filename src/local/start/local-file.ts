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
