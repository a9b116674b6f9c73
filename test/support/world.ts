import type { Deadline, TargetVault } from '../../src/key-vault/target-vault.ts';
import type { DistributionReference, Messaging } from '../../src/messaging/index.ts';
import type { State } from '../../src/state/index.ts';
import type { Table } from '../../src/state/table.ts';
import type { Strike } from './interruptions.ts';

/** A message in hand; its session is locked. */
export interface Delivery {
  reference: DistributionReference;
  complete(): Promise<void>;
  /** Gives it back. */
  abandon(): Promise<void>;
  /** What remains when the process that has it dies. The lock goes with it, or by itself when its time is over. */
  drop(): Promise<void>;
  /** Its lock is lost, and whoever has it goes on as if nothing were. */
  loseLock(): Promise<void>;
}

/** Somebody else, who may do everything in a vault. Nobody witnesses it. */
export interface Person extends TargetVault {
  /** Deletes a deleted key for good. */
  purgeKey(keyName: string): Promise<void>;
}

/** What a vault's access policy lets the service do. */
export type Permission = 'create' | 'delete' | 'get' | 'import' | 'update' | 'list' | 'recover';

export const permissions: readonly Permission[] = ['create', 'delete', 'get', 'import', 'update', 'list', 'recover'];

/** A version of a key as it lies in a vault, past every permission. */
export interface HeldKey {
  /** Key Vault's own id. */
  version: string;
  enabled: boolean;
  type: string;
  operations: readonly string[];
  tags: Readonly<Record<string, string>>;
  /** SubjectPublicKeyInfo, base64. */
  publicKey: string;
}

/** Live keys by name, versions in the order in which they were made. */
export type VaultContents = ReadonlyMap<string, readonly HeldKey[]>;

/** A change that the service sends to a vault. */
export interface VaultChange {
  vault: string;
  action: 'create' | 'import' | 'enable' | 'disable' | 'delete';
  keyName: string;
  /** Key Vault's id of the version that is enabled or disabled. */
  version?: string;
  /** What a new version is made with. */
  enabled?: boolean;
  tags?: Readonly<Record<string, string>>;
}

/** Sees every change of a vault just before it takes effect, and after it did. */
export interface Witness {
  before(change: VaultChange, contents: VaultContents): Promise<void>;
  after?(change: VaultChange, contents: VaultContents): Promise<void>;
}

/** What outlives a process: tables, vaults, queue, and the clock on the wall. */
export interface World {
  now: () => Date;
  pass(seconds: number): void;
  openTable: (name: string) => Table;
  /** A vault as the service reaches it. */
  openVault: (name: string) => TargetVault;
  /** Sends wake-ups as the service does. */
  messaging: Messaging;
  /** Takes a message that may be seen now, the first if not told which of them by number, or about what. */
  receive(which?: number | DistributionReference): Promise<Delivery | undefined>;
  /** How many messages may be taken now. */
  visible(): number;
  /** Messages in the queue, scheduled ones and those in hand included; a line for each. */
  messages(): readonly string[];
  queued(): number;
  /** All that is in the queue is gone. */
  emptyQueue(): Promise<void>;
  /** How calls suffer here. */
  strike: Strike;
  vaultNames(): readonly string[];
  contents(vault: string): VaultContents;
  openAsPerson: (vault: string) => Person;
  /** Somebody else makes a version of a key, of material that is always the same. */
  putForeign(vault: string, keyName: string, tags?: Readonly<Record<string, string>>): Promise<void>;
  /** From now on the service may do no more than this in a vault. */
  permit(vault: string, allowed: readonly Permission[]): void;
  /** Lets providers use the key exchange keys of earlier ones of their names, where making one takes long. */
  reuseExchangeKeys(house: { state: Pick<State, 'providers'> }): Promise<void>;
  /** From now on `witness` sees every change that the service makes. */
  watch(witness: Witness): void;
}

type Described = Omit<VaultChange, 'vault'>;

/** The methods that change a vault, and what each does with its arguments. */
const changes: {
  [Method in keyof TargetVault]?: TargetVault[Method] extends (...args: infer Args) => unknown
    ? (...args: Args) => Described
    : never;
} = {
  createKeyExchangeKey: (keyName, tags) => ({ action: 'create', keyName, tags, enabled: true }),
  importWrapped: (keyName, _blob, { tags, enabled }) => ({ action: 'import', keyName, tags, enabled }),
  importPlain: (keyName, _privateKey, { tags, enabled }) => ({ action: 'import', keyName, tags, enabled }),
  updateVersion: (keyName, version, { enabled }) => ({ action: enabled ? 'enable' : 'disable', keyName, version }),
  deleteKey: (keyName) => ({ action: 'delete', keyName }),
};

/** The same vault; the witnesses see what changes it. */
export function watched(
  vault: TargetVault,
  { witnesses, contents, now }: { witnesses: ReadonlySet<Witness>; contents: () => VaultContents; now: () => Date },
): TargetVault {
  // A call whose time is over isn't sent.
  const isLate = (options: unknown) => {
    const deadline = (options as Partial<Deadline> | undefined)?.deadline;
    return deadline !== undefined && deadline <= now();
  };
  return new Proxy(vault, {
    get(target, property: keyof TargetVault) {
      const method: unknown = Reflect.get(target, property);
      const describe = changes[property] as ((...args: unknown[]) => Described) | undefined;
      if (describe === undefined || typeof method !== 'function') return method;
      return async (...args: unknown[]): Promise<unknown> => {
        const change = { vault: target.name, ...describe(...args) };
        const seen = isLate(args.at(-1)) ? [] : [...witnesses];
        for (const witness of seen) await witness.before(change, contents());
        const result: unknown = await Reflect.apply(method, target, args);
        for (const witness of seen) await witness.after?.(change, contents());
        return result;
      };
    },
  });
}
