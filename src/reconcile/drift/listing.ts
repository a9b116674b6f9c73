import { hash } from 'node:crypto';
import { isAzureFailure } from '../../azure-failure.ts';
import type { KeyItem, TargetVault } from '../../key-vault/target-vault.ts';
import type { HeldKey } from '../../state/inspections.ts';
import type { ProviderReference } from '../../state/providers.ts';
import { ownerOf } from '../target.ts';
import { tagNames } from '../version-marks.ts';
import { absence, createHeldDigests, type HeldDigests } from './held-digests.ts';

/** A key that has to be compared with what is recorded of it. */
export interface Suspect {
  held: HeldKey;
  /** As the vault has just shown it; absent where it didn't, or what it showed isn't the key that we know. */
  item?: KeyItem;
  /** What there will be to remember of it. */
  seen: string;
}

export interface Listing {
  /** Page by page, in order of their names; to be read once. Throws AzureFailure where it is read from the vault itself. */
  suspects: AsyncIterable<readonly Suspect[]>;
  /** False: so many keys look different that some of them were left to the next listing. */
  isWhole: boolean;
  /** Names of keys that bear the provider's tag, and that none of the held keys is known to have. */
  strangers: readonly string[];
  /** False: keys are read by name, and nothing else is seen. */
  mayList: boolean;
}

export interface ListingRequest {
  vault: TargetVault;
  reference: ProviderReference;
  /** Reads the held keys, page by page; anew with every call. */
  held: () => AsyncIterable<readonly HeldKey[]>;
  /** Whether keys that were found to differ when they were last compared are suspects, whatever they look like now. */
  judgeAnew: boolean;
}

/** Before what is remembered of a key that differs from what it should be. */
export const deviationMark = '!';

/** Keys that look different are in memory with all that the list shows of them: no more than these. */
const mostKept = 20_000;

const readsAtOnce = 8;

/**
 * Goes through all keys of a vault and picks those that don't look as they did when they were last compared. Makes one
 * call for each page of the list and nothing else; or, where listing isn't permitted, reads each held key by its name.
 *
 * @throws AzureFailure if a page couldn't be read: nothing may be concluded then
 */
export async function listVault(request: ListingRequest): Promise<Listing> {
  try {
    return await byList(request);
  } catch (error) {
    if (!isAzureFailure(error, 'forbidden')) throw error;
    return { suspects: byName(request), isWhole: true, strangers: [], mayList: false };
  }
}

async function byList(request: ListingRequest): Promise<Listing> {
  const { vault, reference } = request;
  const known = await readHeld(request);
  const prefix = `${ownerOf(reference.mount, reference.provider)}/`;
  const kept: Kept = { named: new Map(), nameless: new Map() };
  const strangers: string[] = [];
  let isWhole = true;
  const keep = (items: Map<string, KeyItem>, name: string, item: KeyItem) => {
    if (kept.named.size + kept.nameless.size < mostKept) items.set(name, item);
    else isWhole = false;
  };
  for await (const page of vault.listKeys()) {
    for (const item of page) {
      const seen = digestOf(item);
      const isAsKnown = known.named.show(item.name, seen);
      if (isAsKnown === false) keep(kept.named, item.name, item);
      if (isAsKnown !== undefined) continue;
      const owner = item.tags[tagNames.owner];
      if (owner?.startsWith(prefix) !== true) continue;
      const key = owner.slice(prefix.length);
      if (known.nameless.show(key, seen) === undefined) strangers.push(item.name);
      else keep(kept.nameless, key, item);
    }
  }
  return { suspects: findSuspects(request, known, kept), isWhole, strangers, mayList: true };
}

interface Known {
  /** By their names in the vault. */
  named: HeldDigests;
  /** By their own names, which are in the owner tag: what they are called in the vault isn't known yet. */
  nameless: HeldDigests;
  hasDeviating: boolean;
}

interface Kept {
  named: Map<string, KeyItem>;
  nameless: Map<string, KeyItem>;
}

async function readHeld({ held }: ListingRequest): Promise<Known> {
  const known = { named: createHeldDigests(), nameless: createHeldDigests(), hasDeviating: false };
  for await (const page of held()) {
    for (const entry of page) {
      const { key, kmsName, seen } = entry;
      if (kmsName === undefined) known.nameless.add(key, undefined);
      else known.named.add(kmsName, seen && withoutMark(seen));
      known.hasDeviating ||= isDeviating(entry);
    }
  }
  return known;
}

/** Reads again what is held, of which too little was kept. What was booked anew meanwhile is left to the next look. */
async function* findSuspects(
  { held, judgeAnew }: ListingRequest,
  { named, nameless, hasDeviating }: Known,
  kept: Kept,
): AsyncIterable<readonly Suspect[]> {
  if (named.changedCount() + nameless.changedCount() === 0 && !(judgeAnew && hasDeviating)) return;

  function toSuspect(entry: HeldKey): Suspect | undefined {
    const { key, kmsName } = entry;
    const seen = kmsName === undefined ? nameless.changeOf(key) : named.changeOf(kmsName);
    if (seen === undefined || isRemembered(entry, seen)) {
      return judgeAnew && isDeviating(entry) ? { held: entry, seen: entry.seen ?? '' } : undefined;
    }
    const item = kmsName === undefined ? kept.nameless.get(key) : kept.named.get(kmsName);
    if (item !== undefined) return { held: entry, item, seen };
    return seen === absence ? { held: entry, seen } : undefined;
  }

  for await (const page of held()) yield page.map(toSuspect).filter((suspect) => suspect !== undefined);
}

async function* byName({ vault, held, judgeAnew }: ListingRequest): AsyncIterable<readonly Suspect[]> {
  for await (const page of held()) {
    for (let start = 0; start < page.length; start += readsAtOnce) {
      const group = page.slice(start, start + readsAtOnce);
      const read = await Promise.all(group.map((entry) => readByName(vault, entry, judgeAnew)));
      yield read.filter((suspect) => suspect !== undefined);
    }
  }
}

/** @returns undefined if the key looks as it did when it was last compared */
async function readByName(vault: TargetVault, entry: HeldKey, judgeAnew: boolean): Promise<Suspect | undefined> {
  // Its name is found out by comparing it; then it is read by that.
  if (entry.kmsName === undefined) return { held: entry, seen: '' };
  const key = await vault.getKey(entry.kmsName);
  const item = key && { name: entry.kmsName, enabled: key.enabled, tags: key.tags, updatedTime: key.updatedTime };
  const seen = item === undefined ? absence : digestOf(item, key?.version);
  if (!isRemembered(entry, seen)) return { held: entry, seen, ...(item && { item }) };
  return judgeAnew && isDeviating(entry) ? { held: entry, seen: entry.seen ?? '' } : undefined;
}

/** Whether the key was found to differ when it was last compared. */
export function isDeviating({ seen }: Pick<HeldKey, 'seen'>): boolean {
  return seen?.startsWith(deviationMark) ?? false;
}

/** What was seen, without what it was judged to be. */
export function withoutMark(seen: string): string {
  return isDeviating({ seen }) ? seen.slice(deviationMark.length) : seen;
}

function isRemembered({ seen }: HeldKey, now: string): boolean {
  return seen !== undefined && withoutMark(seen) === now;
}

/** Of all that a list shows of a key. */
export function digestOf({ name, enabled, tags, updatedTime }: KeyItem, version = ''): string {
  const sorted = Object.entries(tags).sort(([left], [right]) => (left < right ? -1 : 1));
  const text = JSON.stringify([name, enabled, updatedTime.getTime(), sorted, version]);
  return hash('sha256', text, 'base64url').slice(0, 16);
}
