import { tagNames } from '../../src/reconcile/version-marks.ts';
import type { KeyState } from '../../src/state/key-records.ts';
import type { House } from './house.ts';
import type { HeldKey, VaultChange, VaultContents, World } from './world.ts';

/** What callers have asked for, whatever they were answered: noted before the request is made. */
export interface Wishes {
  /** `key/provider` of the copies whose removal was asked for. */
  removals: Set<string>;
  /** The highest minimum that was ever asked for, by key, since the key was made. */
  minimums: Map<string, number>;
}

export interface WatchOptions {
  /** Of a process that nothing interrupts. */
  house: House;
  mount: string;
  wishes: Wishes;
  /** Keys that somebody else made, by vault and name. */
  foreign: ReadonlyMap<string, unknown>;
  /** Key Vault's ids of versions that somebody else added to keys of ours. */
  added?: ReadonlySet<string>;
}

/** The change, with what it does to whom. */
interface Seen {
  change: VaultChange;
  /** Versions under the name when it happened. */
  versions: readonly HeldKey[];
  /** Of the key that the name belongs to by its tags. */
  owner: { provider: string; key: string } | undefined;
}

export interface Vigil {
  /** Changes that were seen. */
  readonly changes: number;
  /** What should never have happened, in words. */
  readonly violations: readonly string[];
}

/** Holds every change of a vault, at the moment at which it takes effect, against what must always hold. */
export function watchOver(world: World, { house, mount, wishes, foreign, added }: WatchOptions): Vigil {
  const violations: string[] = [];
  /** By vault and name: people may take the tags off. */
  const owners = new Map<string, Seen['owner']>();
  let changes = 0;

  function ownerIn(tags: Readonly<Record<string, string>> | undefined): Seen['owner'] {
    const [ownerMount, provider, key] = (tags?.[tagNames.owner] ?? '').split('/');
    return ownerMount === mount && provider !== undefined && key !== undefined ? { provider, key } : undefined;
  }

  function violated(invariant: string, { change }: Seen, detail = ''): void {
    const { action, vault, keyName, version = '' } = change;
    violations.push(`${invariant}: ${action} ${vault}/${keyName} ${version} ${detail}`.trim());
  }

  const ordinalOf = ({ tags }: Pick<HeldKey, 'tags'>) => Number(tags[tagNames.version]);

  function checkImport(seen: Seen): void {
    const { change, versions, owner } = seen;
    if (owner === undefined) return violated('nothing without an owner is made', seen);
    const ordinal = ordinalOf({ tags: change.tags ?? {} });
    const ordinals = versions.map(ordinalOf);
    if (ordinals.includes(ordinal)) violated('no duplicate version', seen, `number ${ordinal}`);
    if (ordinals.some((other) => other > ordinal)) violated('the newest is imported last', seen, `number ${ordinal}`);
    if (change.enabled === false && ordinal >= (wishes.minimums.get(owner.key) ?? 1)) {
      violated('no early disable', seen, `number ${ordinal} is imported disabled and nobody asked`);
    }
  }

  async function checkDisable(seen: Seen): Promise<void> {
    const { change, versions, owner } = seen;
    const version = versions.find((held) => held.version === change.version);
    if (owner === undefined) return violated('nothing foreign is touched', seen);
    // One that somebody purged meanwhile, or that is disabled: nothing is changed by it.
    if (version?.enabled !== true) return;
    const ordinal = ordinalOf(version);
    if (ordinal >= (wishes.minimums.get(owner.key) ?? 1)) {
      violated('no early disable', seen, `number ${ordinal}, above every minimum that was asked for`);
    }
    const state = await house.state.keys.read({ mount, key: owner.key });
    const newest = newestConfirmed(state, owner.provider);
    const held = versions.find((other) => other.version === newest);
    if (newest === undefined || held?.enabled !== true) {
      violated('no early disable', seen, `number ${ordinal}, before the newest is confirmed and enabled there`);
    }
    if (!versions.some((other) => other.enabled && other.version !== change.version)) {
      violated('never locked out', seen, 'the last one that works');
    }
  }

  function checkDelete(seen: Seen): void {
    const { owner } = seen;
    if (owner === undefined) return violated('nothing foreign is touched', seen);
    if (!wishes.removals.has(`${owner.key}/${owner.provider}`)) violated('nothing is destroyed without a wish', seen);
  }

  function isOfOthers({ change, versions }: Seen): boolean {
    const touched = change.action === 'delete' ? versions.map(({ version }) => version) : [change.version ?? ''];
    return touched.some((version) => added?.has(version) === true);
  }

  world.watch({ before });

  async function before(change: VaultChange, contents: VaultContents): Promise<void> {
    changes++;
    const versions = contents.get(change.keyName) ?? [];
    // Whose a key is, is settled by its first version; that of a new one by its tags.
    const place = `${change.vault}/${change.keyName}`;
    const owner = owners.get(place) ?? ownerIn(versions[0]?.tags ?? change.tags);
    owners.set(place, owner);
    const seen: Seen = { change, versions, owner };
    if (change.action === 'create') return;
    if (foreign.has(place) || isOfOthers(seen)) return violated('nothing foreign is touched', seen);
    if (change.action === 'import') return checkImport(seen);
    if (change.action === 'disable') return checkDisable(seen);
    if (change.action === 'delete' && versions.length > 0) return checkDelete(seen);
  }

  return {
    get changes() {
      return changes;
    },
    violations,
  };
}

/** Key Vault's id of the newest version there is, if the vault has confirmed it. */
function newestConfirmed(state: KeyState | undefined, provider: string): string | undefined {
  const entry = state?.distributions.find(({ distribution }) => distribution.provider === provider);
  return entry?.placements.find(({ version, enabled }) => enabled && version === state?.key.latestVersion)?.kmsVersion;
}
