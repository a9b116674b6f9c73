import type {
  InspectedKey,
  InspectedKeyVersion,
  KeyVaultCall,
  KeyVaultStandIn,
} from '../../src/local/key-vault/index.ts';
import { tagNames } from '../../src/reconcile/version-marks.ts';
import type { KeyLedger } from './ledger.ts';

/** Looks at a vault's keys after each call that changes one, and says what must never be. */
export interface VaultWatch {
  /** In the order in which they came about, each once. */
  readonly violations: readonly string[];
  /** Versions of ours that came to be. */
  readonly versions: number;
  /** Says that a version's public key is this one; another one seen anywhere is a violation. */
  expectPublicKey(key: string, version: number, modulus: string): void;
  stop(): void;
}

export interface VaultWatchOptions {
  keyVault: KeyVaultStandIn;
  /** Of the vaults that keys are distributed to; the provider of each has its name. */
  vaults: readonly string[];
  ledgers: ReadonlyMap<string, KeyLedger>;
  /** Uuid of the mount. */
  mount: string;
}

/** A key of ours in a vault, as its owner tag names it. */
export interface Owned {
  key: string;
  provider: string;
}

export const numberOf = ({ tags }: InspectedKeyVersion): number => Number(tags[tagNames.version]);

export const modulusOf = ({ publicKey }: InspectedKeyVersion): string => ('n' in publicKey ? publicKey.n : '');

/** @returns whose key it is; undefined if it isn't one that we distribute */
export function ownerOf({ versions }: InspectedKey, mount: string): Owned | undefined {
  const [owner, provider, key] = (versions[0]?.tags[tagNames.owner] ?? '').split('/');
  return owner === mount && provider !== undefined && key !== undefined ? { provider, key } : undefined;
}

const changes: readonly string[] = ['import', 'create', 'update', 'delete', 'purge', 'recover', 'restore', 'rotate'];

export function watchVaults({ keyVault, vaults, ledgers, mount }: VaultWatchOptions): VaultWatch {
  const violations = new Set<string>();
  const moduli = new Map<string, string>();
  /** Names in vaults with a version that worked when they were last looked at, and which these were. */
  const working = new Map<string, ReadonlySet<string>>();
  const deletions = new Map<string, number>();
  let versions = 0;

  function expectPublicKey(key: string, version: number, modulus: string): void {
    const known = moduli.get(`${key} ${version}`) ?? modulus;
    moduli.set(`${key} ${version}`, known);
    if (known !== modulus) violations.add(`version ${version} of ${key} has two public keys`);
  }

  function look({ vault, operation, name }: KeyVaultCall): void {
    const held = keyVault.inspect(vault).key(name);
    if (held === undefined) return;
    const where = `${vault}/${name}`;
    const isExchangeKey = name.startsWith('keyfleet-kek-');
    if (isExchangeKey && operation === 'create') return;
    const owner = ownerOf(held, mount);
    const ledger = owner && ledgers.get(owner.key);
    if (owner === undefined || ledger === undefined || owner.provider !== vault) {
      violations.add(`${operation} of ${where}, which isn't a key of ours`);
      return;
    }
    if (held.deleted) lookAtDeletion(where, ledger, owner);
    else lookAtVersions(where, ledger, held.versions);
    if (operation === 'import') versions++;
  }

  function lookAtDeletion(where: string, ledger: KeyLedger, { key, provider }: Owned): void {
    working.delete(where);
    const place = `${key} in ${provider}`;
    const seen = (deletions.get(place) ?? 0) + 1;
    deletions.set(place, seen);
    if (seen > ledger.removals(provider)) violations.add(`${where} was deleted, and nobody asked for it`);
  }

  function lookAtVersions(where: string, ledger: KeyLedger, held: readonly InspectedKeyVersion[]): void {
    const before = working.get(where) ?? new Set();
    const now = held.filter(({ enabled }) => enabled);
    working.set(where, new Set(now.map(({ version }) => version)));
    if (before.size > 0 && now.length === 0) violations.add(`${where} has no version left that works`);

    for (const [position, one] of held.entries()) {
      const number = numberOf(one);
      const earlier = held.slice(0, position).map(numberOf);
      if (earlier.includes(number)) violations.add(`${where} has version ${number} twice`);
      else if (earlier.some((other) => other > number))
        violations.add(`${where} got version ${number} after a later one`);
      expectPublicKey(ledger.name, number, modulusOf(one));
      if (number > ledger.mostLatest) violations.add(`${where} has version ${number}, which nobody asked for`);
      if (one.enabled) continue;
      if (number >= ledger.highestMinimum)
        violations.add(`version ${number} of ${where} is disabled, above any minimum`);
      const hasSuccessor = now.some((other) => numberOf(other) > number);
      if (before.has(one.version) && !hasSuccessor) {
        violations.add(`version ${number} of ${where} was disabled before a later one worked`);
      }
    }
  }

  const stop = keyVault.onCall((call) => {
    if (call.status === 200 && changes.includes(call.operation) && vaults.includes(call.vault)) look(call);
  });

  return {
    get violations() {
      return [...violations];
    },
    get versions() {
      return versions;
    },
    expectPublicKey,
    stop,
  };
}
