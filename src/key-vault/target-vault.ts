import type { TokenCredential } from '@azure/core-auth';
import { KeyClient } from '@azure/keyvault-keys';
import { AzureFailure, isAzureFailure } from '../azure-failure.ts';
import { createDeadlines, tooLate } from './deadlines.ts';
import { toFailure, type Call } from './failures.ts';
import { keepBodies } from './kept-bodies.ts';
import { toPlainJsonWebKey, toVaultKey, type VaultKey } from './transformations.ts';

/**
 * When a change must have ended. A call that can't be sent before then fails as `unavailable`, without an effect; one
 * that has no answer by then is broken off.
 */
export interface Deadline {
  deadline: Date;
}

/** What a version is imported with besides its material. */
export interface ImportOptions extends Deadline {
  /** Key Vault's `key_ops`, exactly these. */
  operations: readonly string[];
  enabled: boolean;
  tags: Record<string, string>;
}

export interface VersionSummary {
  version: string;
  enabled: boolean;
  tags: Readonly<Record<string, string>>;
}

/**
 * The keys of one Azure Key Vault. Every method throws {@link AzureFailure}; `undefined` means that the vault itself
 * said there is no such key. Changes are never repeated here: whether a repetition is safe is the caller's knowledge.
 */
export interface TargetVault {
  name: string;
  /** The newest version. */
  getKey(keyName: string): Promise<VaultKey | undefined>;
  /** Makes an RSA-HSM key that can do nothing but receive other keys. */
  createKeyExchangeKey(keyName: string, tags: Record<string, string>): Promise<VaultKey>;
  /** @param blob from `wrapForTransfer` */
  importWrapped(keyName: string, blob: Buffer, options: ImportOptions & { hardware: boolean }): Promise<VaultKey>;
  /** @param privateKey PKCS#8 DER; travels as text inside TLS */
  importPlain(keyName: string, privateKey: Buffer, options: ImportOptions): Promise<VaultKey>;
  setEnabled(keyName: string, version: string, enabled: boolean, options: Deadline): Promise<VaultKey>;
  /** @returns false if there was no such key */
  deleteKey(keyName: string, options: Deadline): Promise<boolean>;
  /** All versions, in no order. Needs the `list` permission. */
  listVersions(keyName: string): Promise<VersionSummary[]>;
}

export interface TargetVaultOptions {
  name: string;
  /** E.g. `https://learn-keyvault.vault.azure.net`. */
  url: string;
  credential: TokenCredential;
}

const keyExchangeKeyBits = 4096;
const readTimeoutMilliseconds = 10_000;
const changeTimeoutMilliseconds = 15_000;

export function createTargetVault({ name, url, credential }: TargetVaultOptions): TargetVault {
  const reads = new KeyClient(url, credential, { retryOptions: { maxRetries: 2, retryDelayInMs: 200 } });
  // The client would repeat an import after a lost reply, and that would be a second version.
  const deadlines = createDeadlines();
  const changes = new KeyClient(url, credential, {
    retryOptions: { maxRetries: 0 },
    additionalPolicies: [...keepBodies(), { policy: deadlines.policy, position: 'perRetry' }],
  });

  async function run<T>(
    call: Omit<Call, 'vault'>,
    send: (options: { abortSignal: AbortSignal }) => Promise<T>,
    deadline?: Date,
  ): Promise<T> {
    const milliseconds = call.changes ? changeTimeoutMilliseconds : readTimeoutMilliseconds;
    const sending = deadlines.start(milliseconds, deadline);
    try {
      return await send({ abortSignal: sending.signal });
    } catch (error) {
      const unsent = call.changes && sending.signal.aborted && !sending.wasSent();
      throw toFailure(unsent ? tooLate() : error, { vault: name, ...call });
    }
  }

  return {
    name,

    async getKey(keyName) {
      try {
        const call = { action: `read key "${keyName}"`, permission: 'get', changes: false } as const;
        return toVaultKey(await run(call, (options) => reads.getKey(keyName, options)));
      } catch (error) {
        if (isAzureFailure(error, 'absent')) return undefined;
        throw error;
      }
    },

    async createKeyExchangeKey(keyName, tags) {
      const call = { action: `create the key exchange key "${keyName}"`, permission: 'create', changes: true } as const;
      return toVaultKey(
        await run(call, (options) =>
          changes.createRsaKey(keyName, {
            ...options,
            hsm: true,
            keySize: keyExchangeKeyBits,
            keyOps: ['import'],
            tags,
          }),
        ),
      );
    },

    async importWrapped(keyName, blob, { operations, enabled, tags, hardware, deadline }) {
      const call = { action: `import key "${keyName}"`, permission: 'import', changes: true } as const;
      const key = { kty: hardware ? 'RSA-HSM' : 'RSA', keyOps: [...operations], t: blob };
      return toVaultKey(
        await run(
          call,
          (options) => changes.importKey(keyName, key, { ...options, enabled, tags, hardwareProtected: hardware }),
          deadline,
        ),
      );
    },

    async importPlain(keyName, privateKey, { operations, enabled, tags, deadline }) {
      const call = { action: `import key "${keyName}"`, permission: 'import', changes: true } as const;
      const key = { ...toPlainJsonWebKey(privateKey), keyOps: [...operations] };
      return toVaultKey(
        await run(call, (options) => changes.importKey(keyName, key, { ...options, enabled, tags }), deadline),
      );
    },

    async setEnabled(keyName, version, enabled, { deadline }) {
      const action = `${enabled ? 'enable' : 'disable'} version ${version} of key "${keyName}"`;
      const call = { action, permission: 'update', changes: true } as const;
      return toVaultKey(
        await run(call, (options) => changes.updateKeyProperties(keyName, version, { ...options, enabled }), deadline),
      );
    },

    async deleteKey(keyName, { deadline }) {
      try {
        const call = { action: `delete key "${keyName}"`, permission: 'delete', changes: true } as const;
        await run(call, (options) => changes.beginDeleteKey(keyName, options), deadline);
        return true;
      } catch (error) {
        if (isAzureFailure(error, 'absent')) return false;
        throw error;
      }
    },

    async listVersions(keyName) {
      const call = { action: `list the versions of key "${keyName}"`, permission: 'list', changes: false } as const;
      return run(call, async (options) => {
        const summaries: VersionSummary[] = [];
        for await (const properties of reads.listPropertiesOfKeyVersions(keyName, options)) {
          const { version, enabled, tags } = properties;
          if (version === undefined)
            throw new AzureFailure('unavailable', 'a page of versions had an entry without version');
          summaries.push({ version, enabled: enabled ?? true, tags: tags ?? {} });
        }
        return summaries;
      });
    },
  };
}
