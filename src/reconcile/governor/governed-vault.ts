import type { TargetVault } from '../../key-vault/target-vault.ts';
import type { VaultKey } from '../../key-vault/transformations.ts';
import type { CallKind } from './call-limits.ts';

/** What a call counts as. */
export interface Charge<T> {
  kind: CallKind;
  /** What it turned out to be once there is a result; absent: that. */
  actually?: (result: T) => { kind: CallKind; times: number };
  /** One of several calls for one result: it is never repeated by itself, as that might lose what it belongs to. */
  part?: 'first' | 'later';
}

/** Sends the call when it is its turn. */
export type Govern = <T>(charge: Charge<T>, send: () => Promise<T>) => Promise<T>;

/** Entries in one page of a list, each of which is a call. */
const pageSize = 25;

/** A vault whose every call waits for its turn. Each method is named here with what it counts as. */
export function createGovernedVault(vault: TargetVault, govern: Govern): TargetVault {
  return {
    name: vault.name,
    getKey: (keyName) => govern(usingKey, () => vault.getKey(keyName)),
    createKeyExchangeKey: (keyName, tags) =>
      govern({ kind: 'createHsmKey' }, () => vault.createKeyExchangeKey(keyName, tags)),
    importWrapped: (keyName, blob, options) =>
      govern({ kind: 'import' }, () => vault.importWrapped(keyName, blob, options)),
    importPlain: (keyName, privateKey, options) =>
      govern({ kind: 'import' }, () => vault.importPlain(keyName, privateKey, options)),
    getKeyVersion: (keyName, version) => govern(usingKey, () => vault.getKeyVersion(keyName, version)),
    updateVersion: (keyName, version, attributes) =>
      govern(usingKey, () => vault.updateVersion(keyName, version, attributes)),
    deleteKey: (keyName, options) => govern(usingKey, () => vault.deleteKey(keyName, options)),
    listVersions: (keyName) => govern(listing, () => vault.listVersions(keyName)),
    listKeys: () => governPages(vault.listKeys(), govern),
    getDeletedKey: (keyName) => govern({ kind: 'other' }, () => vault.getDeletedKey(keyName)),
    recoverKey: (keyName, options) => govern({ kind: 'other' }, () => vault.recoverKey(keyName, options)),
  };
}

/** Each page is a call. Later ones aren't put off: what was listed so far would be lost. */
async function* governPages<T>(pages: AsyncIterable<T>, govern: Govern): AsyncIterable<T> {
  const iterator = pages[Symbol.asyncIterator]();
  try {
    for (let part: 'first' | 'later' = 'first'; ; part = 'later') {
      const result = await govern({ kind: 'other', part }, () => iterator.next());
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    await iterator.return?.();
  }
}

/** Which key it is shows in the answer. */
const usingKey: Charge<VaultKey | undefined> = {
  kind: 'useSoftwareRsa2048',
  actually: (key) => ({ kind: key === undefined ? 'other' : kindOf(key), times: 1 }),
};

const listing: Charge<readonly unknown[]> = {
  kind: 'other',
  actually: (entries) => ({ kind: 'other', times: Math.max(1, Math.ceil(entries.length / pageSize)) }),
};

function kindOf({ type, publicKey }: VaultKey): CallKind {
  const hardware = type.endsWith('-HSM');
  switch (publicKey.asymmetricKeyDetails?.modulusLength) {
    case undefined:
      return hardware ? 'useHsmEc' : 'useSoftwareEc';
    case 2048:
      return hardware ? 'useHsmRsa2048' : 'useSoftwareRsa2048';
    case 3072:
      return hardware ? 'useHsmRsa3072' : 'useSoftwareRsa3072';
    default:
      return hardware ? 'useHsmRsa4096' : 'useSoftwareRsa4096';
  }
}
