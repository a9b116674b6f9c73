import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { ManagedIdentityCredential } from '@azure/identity';
import { KeyClient } from '@azure/keyvault-keys';
import { fingerprintOfNumbers } from './public-keys.ts';

/** One version of a key in the vault. */
export interface VaultKey {
  version: string;
  keyType: string;
  /** Sorted. */
  operations: string[];
  enabled: boolean;
  publicKey: string;
}

/** The vault, seen through Azure's own client. */
export interface KeyVault {
  /** The current version, unless told which; undefined if there is no such key. */
  key(name: string, version?: string): Promise<VaultKey | undefined>;
  /** Ids of all versions. */
  versions(name: string): Promise<string[]>;
  /** Whether the key was deleted, recoverably: which a vault takes a moment for after it has said yes. */
  isDeleted(name: string): Promise<boolean>;
  encrypt(name: string, version: string, text: string): Promise<Uint8Array>;
  /** @returns the text, or in the place of it what the vault said instead: `refused with 403` */
  decrypt(name: string, version: string, encrypted: Uint8Array): Promise<string>;
  /** RSASSA-PSS over SHA-256. */
  sign(name: string, version: string, text: string): Promise<Uint8Array>;
}

export interface KeyVaultOptions {
  url: string;
  /** PEM. */
  caFile: string;
  identityEndpoint: string;
  identityHeader: string;
}

const encryption = 'RSA-OAEP-256';
/** Azure's deletions seldom take more than a few seconds. */
const deletionMilliseconds = 30_000;
const pauseMilliseconds = 100;

/**
 * Opens the vault as a program on Azure would that has a managed identity. What tells the client so is set for the whole
 * process: the authority to trust, and where the identity's tokens come from.
 */
export async function openKeyVault(options: KeyVaultOptions): Promise<KeyVault> {
  const { url, caFile, identityEndpoint, identityHeader } = options;
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), await readFile(caFile, 'utf8')]);
  // A proxy that leads out of an office has no way back to this machine.
  Object.assign(process.env, {
    IDENTITY_ENDPOINT: identityEndpoint,
    IDENTITY_HEADER: identityHeader,
    NO_PROXY: 'localhost,127.0.0.1',
  });
  const client = new KeyClient(url, new ManagedIdentityCredential(), {
    // The vault's name here isn't below the domain that its tokens are for.
    disableChallengeResourceVerification: true,
    // Nothing on loopback gets better by waiting long.
    retryOptions: { maxRetries: 2, retryDelayInMs: 100 },
  });
  const cryptography = (name: string, keyVersion: string) => client.getCryptographyClient(name, { keyVersion });

  return {
    async key(name, version) {
      const found = await orUndefined(client.getKey(name, version === undefined ? {} : { version }));
      if (found === undefined) return undefined;
      return {
        version: found.properties.version ?? '',
        keyType: found.keyType ?? '',
        operations: [...(found.keyOperations ?? [])].sort(),
        enabled: found.properties.enabled ?? false,
        publicKey: fingerprintOfNumbers(found.key ?? {}),
      };
    },
    async versions(name) {
      const versions = await Array.fromAsync(client.listPropertiesOfKeyVersions(name));
      return versions.map(({ version = '' }) => version);
    },
    async isDeleted(name) {
      const deadline = performance.now() + deletionMilliseconds;
      while ((await orUndefined(client.getDeletedKey(name))) === undefined) {
        if (performance.now() > deadline) return false;
        await sleep(pauseMilliseconds);
      }
      return true;
    },
    async encrypt(name, version, text) {
      const { result } = await cryptography(name, version).encrypt(encryption, Buffer.from(text));
      return result;
    },
    async decrypt(name, version, encrypted) {
      try {
        const { result } = await cryptography(name, version).decrypt(encryption, encrypted);
        return Buffer.from(result).toString();
      } catch (error) {
        const status = statusOf(error);
        if (status === undefined) throw error;
        return `refused with ${status}`;
      }
    },
    async sign(name, version, text) {
      const { result } = await cryptography(name, version).signData('PS256', Buffer.from(text));
      return result;
    },
  };
}

async function orUndefined<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** Of the vault's reply, if there was one. */
function statusOf(error: unknown): number | undefined {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : undefined;
}
