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
  /** False: keys were read by name, and nothing else was seen. */
  mayList: boolean;
}

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
export async function listVault(
  vault: TargetVault,
  reference: ProviderReference,
  held: readonly HeldKey[],
): Promise<Listing> {
  try {
    return await byList(vault, reference, held);
  } catch (error) {
    if (isAzureFailure(error, 'forbidden')) return byName(vault, held);
    throw error;
  }
}

async function byList(
  vault: TargetVault,
  { mount, provider }: ProviderReference,
  held: readonly HeldKey[],
): Promise<Listing> {
  const byKey = new Map(held.map((entry) => [entry.key, entry]));
  const byKmsName = new Map(held.map((entry) => [entry.kmsName, entry]));
  const prefix = `${ownerOf(mount, provider)}/`;
  const suspects = new Map<string, Suspect>();
  const strangers: string[] = [];
  const listed = new Set<string>();
  for await (const page of vault.listKeys()) {
    for (const item of page) {
      const known = byKmsName.get(item.name);
      if (known !== undefined) {
        listed.add(known.key);
        const seen = digestOf(item);
        if (!isRemembered(known, seen)) suspects.set(known.key, { held: known, item, seen });
        continue;
      }
      const owner = item.tags[tagNames.owner];
      if (owner?.startsWith(prefix) !== true) continue;
      const entry = byKey.get(owner.slice(prefix.length));
      if (entry !== undefined && entry.kmsName === undefined) {
        listed.add(entry.key);
        suspects.set(entry.key, { held: entry, item, seen: digestOf(item) });
      } else strangers.push(item.name);
    }
  }
  for (const entry of held) {
    if (!listed.has(entry.key) && !isRemembered(entry, absence)) {
      suspects.set(entry.key, { held: entry, seen: absence });
    }
  }
  return { suspects: [...suspects.values()], strangers, mayList: true };
}

async function byName(vault: TargetVault, held: readonly HeldKey[]): Promise<Listing> {
  const suspects: Suspect[] = [];
  for (const entry of held) {
    if (entry.kmsName === undefined) {
      // Its name is found out by comparing it; then it is read by that.
      suspects.push({ held: entry, seen: '' });
      continue;
    }
    const key = await vault.getKey(entry.kmsName);
    const item = key && { name: entry.kmsName, enabled: key.enabled, tags: key.tags, updatedTime: key.updatedTime };
    const seen = item === undefined ? absence : digestOf(item, key?.version);
    if (!isRemembered(entry, seen)) suspects.push({ held: entry, seen, ...(item && { item }) });
  }
  return { suspects, strangers: [], mayList: false };
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
