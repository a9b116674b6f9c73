import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenCredential } from '@azure/core-auth';
import { KeyClient } from '@azure/keyvault-keys';
import { AzureFailure, isAzureFailure } from '../azure-failure.ts';
import { createDeadlines, tooLate } from './deadlines.ts';
import { toFailure, type Call } from './failures.ts';
import { keepBodies } from './kept-bodies.ts';
import { keepErrorCodes } from './error-codes.ts';
import { noRepetitionOfThrottled } from './retry-after.ts';
import { limitTime } from './time-limit.ts';
import {
  toKeyItem,
  toKeyNamed,
  toPlainJsonWebKey,
  toVersionSummary,
  type KeyItem,
  type VaultKey,
  type VersionSummary,
} from './transformations.ts';

export type { KeyItem, VersionSummary } from './transformations.ts';

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

/** What a version of a key is to be like, set by one request. */
export interface VersionAttributes {
  enabled: boolean;
  operations: readonly string[];
  /** All of them: others are taken off. */
  tags: Record<string, string>;
}

/**
 * The keys of one Azure Key Vault. Every method throws {@link AzureFailure}; `undefined` means that the vault itself
 * said there is no such key. Changes are never repeated here: whether a repetition is safe is the caller's knowledge.
 */
export interface TargetVault {
  name: string;
  /** The newest version. */
  getKey(keyName: string): Promise<VaultKey | undefined>;
  getKeyVersion(keyName: string, version: string): Promise<VaultKey | undefined>;
  /** Makes an RSA-HSM key that can do nothing but receive other keys. */
  createKeyExchangeKey(keyName: string, tags: Record<string, string>): Promise<VaultKey>;
  /** @param blob from `wrapForTransfer` */
  importWrapped(keyName: string, blob: Buffer, options: ImportOptions & { hardware: boolean }): Promise<VaultKey>;
  /** @param privateKey PKCS#8 DER; travels as text inside TLS */
  importPlain(keyName: string, privateKey: Buffer, options: ImportOptions): Promise<VaultKey>;
  /** Makes one version what it should be, whatever it was. */
  updateVersion(keyName: string, version: string, attributes: VersionAttributes & Deadline): Promise<VaultKey>;
  /** @returns the key that was deleted, as its newest version was; undefined if there was none */
  deleteKey(keyName: string, options: Deadline): Promise<VaultKey | undefined>;
  /** All versions, in no order. Needs the `list` permission. */
  listVersions(keyName: string): Promise<VersionSummary[]>;
  /**
   * All live keys, page by page as the vault gives them, in no order; pages may be empty. A listing that fails throws, at
   * whichever page: only one that ends normally was complete. Needs the `list` permission.
   */
  listKeys(): AsyncIterable<readonly KeyItem[]>;
  /** A deleted key that the vault still keeps. Needs no more than `get`. */
  getDeletedKey(keyName: string): Promise<{ tags: Readonly<Record<string, string>> } | undefined>;
  /**
   * Brings a deleted key back with all its versions, which takes some ten seconds, and waits until it is live. Needs the `recover` permission.
   * @returns false if there was no such deleted key
   */
  recoverKey(keyName: string, options: Deadline): Promise<boolean>;
}

export interface TargetVaultOptions {
  name: string;
  /** E.g. `https://learn-keyvault.vault.azure.net`. */
  url: string;
  credential: TokenCredential;
  patience?: Patience;
}

/** How long a vault is waited for. Leases on keys count on a change taking no longer than is usual. */
export interface Patience {
  readMilliseconds: number;
  changeMilliseconds: number;
  /** Before the first repetition of a read that failed. */
  retryMilliseconds: number;
}

const keyExchangeKeyBits = 4096;
const usualPatience: Patience = { readMilliseconds: 10_000, changeMilliseconds: 15_000, retryMilliseconds: 200 };

const recoveryPauseMilliseconds = 500;

export function createTargetVault({
  name,
  url,
  credential,
  patience = usualPatience,
}: TargetVaultOptions): TargetVault {
  const additionalPolicies = [noRepetitionOfThrottled, keepErrorCodes];
  const reads = new KeyClient(url, credential, {
    retryOptions: { maxRetries: 2, retryDelayInMs: patience.retryMilliseconds },
    additionalPolicies: [...additionalPolicies, limitTime(() => patience.readMilliseconds)],
  });
  // The client would repeat an import after a lost reply, and that would be a second version.
  const deadlines = createDeadlines();
  const changes = new KeyClient(url, credential, {
    retryOptions: { maxRetries: 0 },
    additionalPolicies: [...additionalPolicies, ...keepBodies(), { policy: deadlines.policy, position: 'perRetry' }],
  });

  async function run<T>(
    call: Omit<Call, 'vault'>,
    send: (options: { abortSignal: AbortSignal }) => Promise<T>,
    deadline?: Date,
  ): Promise<T> {
    const milliseconds = call.changes ? patience.changeMilliseconds : patience.readMilliseconds;
    const sending = deadlines.start(milliseconds, deadline);
    try {
      return await send({ abortSignal: sending.signal });
    } catch (error) {
      const unsent = call.changes && sending.signal.aborted && !sending.wasSent();
      throw toFailure(unsent ? tooLate() : error, { vault: name, ...call });
    }
  }

  async function undefinedIfAbsent<T>(result: Promise<T>): Promise<T | undefined> {
    try {
      return await result;
    } catch (error) {
      if (isAzureFailure(error, 'absent')) return undefined;
      throw error;
    }
  }

  function getKey(keyName: string): Promise<VaultKey | undefined> {
    const call = { action: `read key "${keyName}"`, permission: 'get', changes: false } as const;
    return undefinedIfAbsent(run(call, async (options) => toKeyNamed(keyName, await reads.getKey(keyName, options))));
  }

  return {
    name,
    getKey,

    getKeyVersion(keyName, version) {
      const action = `read version ${version} of key "${keyName}"`;
      const call = { action, permission: 'get', changes: false } as const;
      return undefinedIfAbsent(
        run(call, async (options) => toKeyNamed(keyName, await reads.getKey(keyName, { ...options, version }))),
      );
    },

    async createKeyExchangeKey(keyName, tags) {
      const call = { action: `create the key exchange key "${keyName}"`, permission: 'create', changes: true } as const;
      const key = { hsm: true, keySize: keyExchangeKeyBits, keyOps: ['import'], tags };
      return run(call, async (options) =>
        toKeyNamed(keyName, await changes.createRsaKey(keyName, { ...options, ...key })),
      );
    },

    async importWrapped(keyName, blob, { operations, enabled, tags, hardware, deadline }) {
      const call = { action: `import key "${keyName}"`, permission: 'import', changes: true } as const;
      const key = { kty: hardware ? 'RSA-HSM' : 'RSA', keyOps: [...operations], t: blob };
      const attributes = { enabled, tags, hardwareProtected: hardware };
      return run(
        call,
        async (options) => toKeyNamed(keyName, await changes.importKey(keyName, key, { ...options, ...attributes })),
        deadline,
      );
    },

    async importPlain(keyName, privateKey, { operations, enabled, tags, deadline }) {
      const call = { action: `import key "${keyName}"`, permission: 'import', changes: true } as const;
      const key = { ...toPlainJsonWebKey(privateKey), keyOps: [...operations] };
      return run(
        call,
        async (options) => toKeyNamed(keyName, await changes.importKey(keyName, key, { ...options, enabled, tags })),
        deadline,
      );
    },

    async updateVersion(keyName, version, { enabled, operations, tags, deadline }) {
      const action = `${enabled ? 'enable' : 'disable'} version ${version} of key "${keyName}"`;
      const call = { action, permission: 'update', changes: true } as const;
      const attributes = { enabled, keyOps: [...operations], tags };
      return run(
        call,
        async (options) =>
          toKeyNamed(keyName, await changes.updateKeyProperties(keyName, version, { ...options, ...attributes })),
        deadline,
      );
    },

    async deleteKey(keyName, { deadline }) {
      const call = { action: `delete key "${keyName}"`, permission: 'delete', changes: true } as const;
      const deleted = run(
        call,
        async (options) => {
          const poller = await changes.beginDeleteKey(keyName, options);
          return toKeyNamed(keyName, poller.getResult());
        },
        deadline,
      );
      return undefinedIfAbsent(deleted);
    },

    async listVersions(keyName) {
      const call = { action: `list the versions of key "${keyName}"`, permission: 'list', changes: false } as const;
      return run(call, async (options) => {
        const summaries: VersionSummary[] = [];
        for await (const properties of reads.listPropertiesOfKeyVersions(keyName, options)) {
          summaries.push(toVersionSummary(properties));
        }
        return summaries;
      });
    },

    async *listKeys() {
      const call = { action: 'list the keys', permission: 'list', changes: false } as const;
      const pages = reads.listPropertiesOfKeys().byPage();
      for (;;) {
        const page = await run(call, () => pages.next());
        if (page.done === true) return;
        yield page.value.map(toKeyItem);
      }
    },

    getDeletedKey(keyName) {
      const call = { action: `look for the deleted key "${keyName}"`, permission: 'get', changes: false } as const;
      return undefinedIfAbsent(
        run(call, async (options) => {
          const { properties } = await reads.getDeletedKey(keyName, options);
          if (properties.recoveryId === undefined) throw new Error('a key that is not deleted was described');
          return { tags: properties.tags ?? {} };
        }),
      );
    },

    async recoverKey(keyName, { deadline }) {
      const call = { action: `recover key "${keyName}"`, permission: 'recover', changes: true } as const;
      const begun = run(call, (options) => changes.beginRecoverDeletedKey(keyName, options), deadline);
      if ((await undefinedIfAbsent(begun)) === undefined) return false;
      while ((await getKey(keyName)) === undefined) {
        if (Date.now() > deadline.getTime()) {
          throw new AzureFailure('unknown-outcome', `Key Vault "${name}" is still recovering key "${keyName}"`);
        }
        await sleep(recoveryPauseMilliseconds);
      }
      return true;
    },
  };
}
