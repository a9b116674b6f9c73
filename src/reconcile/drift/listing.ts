import { createHash } from 'node:crypto';
import { isAzureFailure } from '../../azure-failure.ts';
import type { KeyItem, TargetVault } from '../../key-vault/target-vault.ts';
import type { HeldKey } from '../../state/inspections.ts';
import type { ProviderReference } from '../../state/providers.ts';
import { ownerOf } from '../target.ts';
import { tagNames } from '../version-marks.ts';

/** A key that has to be compared with what is recorded of it. */
export interface Suspect {
  held: HeldKey;
  /** As the vault has just shown it; absent where it didn't, or what it showed isn't the key that we know. */
  item?: KeyItem;
  /** What there will be to remember of it. */
  seen: string;
}

export interface Listing {
  suspects: readonly Suspect[];
  /** Names of keys that bear the provider's tag, and that none of the held keys is known to have. */
  strangers: readonly string[];
  /** Held keys that were found to differ when they were last compared; those among the suspects, too. */
  deviating: readonly HeldKey[];
  /** False: keys were read by name, and nothing else was seen. */
  mayList: boolean;
}

/** Reads the held keys, page by page; anew with every call. */
export type ReadHeld = () => AsyncIterable<readonly HeldKey[]>;

/** What is remembered of a key that isn't in the vault. */
const absence = 'absent';

/** Before what is remembered of a key that differs from what it should be. */
export const deviationMark = '!';

/**
 * Goes through all keys of a vault and picks those that don't look as they did when they were last compared. Makes one
 * call for each page of the list and nothing else; or, where listing isn't permitted, reads each held key by its name.
 *
 * @throws AzureFailure if anything couldn't be read: nothing may be concluded then
 */
export async function listVault(vault: TargetVault, reference: ProviderReference, held: ReadHeld): Promise<Listing> {
  try {
    return await byList(vault, reference, held);
  } catch (error) {
    if (isAzureFailure(error, 'forbidden')) return byName(vault, held);
    throw error;
  }
}

async function byList(vault: TargetVault, { mount, provider }: ProviderReference, held: ReadHeld): Promise<Listing> {
  const { settled, unsettled } = await readHeld(held);
  const byKmsName = new Map<string | undefined, HeldKey>(unsettled.map((entry) => [entry.kmsName, entry]));
  const nameless = new Map(unsettled.filter(({ kmsName }) => kmsName === undefined).map((entry) => [entry.key, entry]));
  const prefix = `${ownerOf(mount, provider)}/`;
  const suspects = new Map<string, Suspect>();
  const changed = new Map<string, Omit<Suspect, 'held'>>();
  const strangers: string[] = [];
  const listed = new Set<string>();
  for await (const page of vault.listKeys()) {
    for (const item of page) {
      const remembered = settled.get(item.name);
      if (remembered !== undefined) {
        const seen = digestOf(item);
        if (remembered !== seen) changed.set(item.name, { item, seen });
        settled.delete(item.name);
        continue;
      }
      const known = byKmsName.get(item.name);
      if (known !== undefined) {
        listed.add(known.key);
        const seen = digestOf(item);
        if (!isRemembered(known, seen)) suspects.set(known.key, { held: known, item, seen });
        continue;
      }
      const owner = item.tags[tagNames.owner];
      if (owner?.startsWith(prefix) !== true) continue;
      const entry = nameless.get(owner.slice(prefix.length));
      if (entry !== undefined) {
        listed.add(entry.key);
        suspects.set(entry.key, { held: entry, item, seen: digestOf(item) });
      } else strangers.push(item.name);
    }
  }
  for (const [kmsName, remembered] of settled) {
    if (remembered !== absence) changed.set(kmsName, { seen: absence });
  }
  for (const entry of unsettled) {
    if (!listed.has(entry.key) && !isRemembered(entry, absence)) {
      suspects.set(entry.key, { held: entry, seen: absence });
    }
  }
  for (const suspect of await findChanged(held, changed)) suspects.set(suspect.held.key, suspect);
  return { suspects: [...suspects.values()], strangers, deviating: unsettled.filter(isDeviating), mayList: true };
}

/**
 * Of most keys nothing is kept but the name in the vault and what was seen there: they are all in memory for as long as
 * the list takes, and most of them haven't changed.
 */
async function readHeld(held: ReadHeld): Promise<{ settled: Map<string, string>; unsettled: HeldKey[] }> {
  const settled = new Map<string, string>();
  const unsettled: HeldKey[] = [];
  for await (const page of held()) {
    for (const entry of page) {
      const { kmsName, seen } = entry;
      if (kmsName === undefined || seen === undefined || isDeviating(entry)) unsettled.push(entry);
      else settled.set(kmsName, seen);
    }
  }
  return { settled, unsettled };
}

/** Reads again what is held of changed keys. One that was booked anew meanwhile is left to the next look. */
async function findChanged(
  held: ReadHeld,
  changed: ReadonlyMap<string, Omit<Suspect, 'held'>>,
): Promise<readonly Suspect[]> {
  const suspects: Suspect[] = [];
  if (changed.size === 0) return suspects;
  for await (const page of held()) {
    for (const entry of page) {
      const change = entry.kmsName === undefined ? undefined : changed.get(entry.kmsName);
      if (change !== undefined) suspects.push({ held: entry, ...change });
    }
  }
  return suspects;
}

async function byName(vault: TargetVault, held: ReadHeld): Promise<Listing> {
  const suspects: Suspect[] = [];
  const deviating: HeldKey[] = [];
  for await (const page of held()) {
    for (const entry of page) {
      if (isDeviating(entry)) deviating.push(entry);
      const suspect = await readByName(vault, entry);
      if (suspect !== undefined) suspects.push(suspect);
    }
  }
  return { suspects, strangers: [], deviating, mayList: false };
}

/** @returns undefined if the key looks as it did when it was last compared */
async function readByName(vault: TargetVault, entry: HeldKey): Promise<Suspect | undefined> {
  // Its name is found out by comparing it; then it is read by that.
  if (entry.kmsName === undefined) return { held: entry, seen: '' };
  const key = await vault.getKey(entry.kmsName);
  const item = key && { name: entry.kmsName, enabled: key.enabled, tags: key.tags, updatedTime: key.updatedTime };
  const seen = item === undefined ? absence : digestOf(item, key?.version);
  return isRemembered(entry, seen) ? undefined : { held: entry, seen, ...(item && { item }) };
}

/** Whether the key was found to differ when it was last compared. */
export function isDeviating({ seen }: Pick<HeldKey, 'seen'>): boolean {
  return seen?.startsWith(deviationMark) ?? false;
}

function isRemembered({ seen }: HeldKey, now: string): boolean {
  return seen === now || seen === deviationMark + now;
}

/** Of all that a list shows of a key. */
export function digestOf({ name, enabled, tags, updatedTime }: KeyItem, version = ''): string {
  const sorted = Object.entries(tags).sort(([left], [right]) => (left < right ? -1 : 1));
  const text = JSON.stringify([name, enabled, updatedTime.getTime(), sorted, version]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
