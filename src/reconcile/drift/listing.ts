import { hash } from 'node:crypto';
import { AzureFailure } from '../../azure-failure.ts';
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

/** Page by page, in order of their names; to be read once. */
export type Suspects = AsyncIterable<readonly Suspect[]>;

/** A key that bears the provider's tag, and that none of the held keys is known to have. */
export interface Stranger {
  name: string;
  /** Whose it is by its tag. */
  key: string;
}

export interface Listing {
  strangers: readonly Stranger[];
  /** Whether a look is owed to any of the held keys; those are not among the suspects. */
  isAnyOwed: boolean;
}

export interface ListingRequest {
  vault: TargetVault;
  reference: ProviderReference;
  /** Reads the held keys, page by page; anew with every call. */
  held: () => AsyncIterable<readonly HeldKey[]>;
  /** Whether keys that were found to differ when they were last compared are suspects, whatever they look like now. */
  judgeAnew: boolean;
  /**
   * Is given the keys that don't look as they did when they were last compared: now and then while the list goes on, so
   * that something comes of it however long that takes, and at its end.
   */
  examine: (suspects: Suspects) => Promise<void>;
  /** The list is broken off then. */
  until: Date;
  now: () => Date;
}

/** Before what is remembered of a key that differs from what it should be. */
export const deviationMark = '!';

/** Keys that look different are in memory with all that the list shows of them: no more than these. */
const mostKept = 20_000;

/** How long they are gathered: each time the held keys are read once more. */
const gatherMilliseconds = 30_000;

/**
 * Goes through all keys of a vault and picks those that don't look as they did when they were last compared. Makes one
 * call for each page of the list and nothing else.
 *
 * @throws AzureFailure if the list didn't come to its end: nothing may be concluded about what it didn't show
 */
export async function listVault(request: ListingRequest): Promise<Listing> {
  const { vault, reference, examine, until, now } = request;
  const known = await readHeld(request);
  const prefix = `${ownerOf(reference.mount, reference.provider)}/`;
  const kept: Kept = { named: new Map(), nameless: new Map() };
  const strangers: Stranger[] = [];
  let gatheredSince = now().getTime();

  async function examineKept(isWhole: boolean): Promise<void> {
    await examine(findSuspects(request, known, kept, isWhole));
    kept.named.clear();
    kept.nameless.clear();
    gatheredSince = now().getTime();
  }

  function compare(item: KeyItem): void {
    const seen = digestOf(item);
    const isAsKnown = known.named.show(item.name, seen);
    if (isAsKnown === false) kept.named.set(item.name, item);
    if (isAsKnown !== undefined) return;
    const owner = item.tags[tagNames.owner];
    if (owner?.startsWith(prefix) !== true) return;
    const key = owner.slice(prefix.length);
    if (known.nameless.show(key, seen) === undefined) strangers.push({ name: item.name, key });
    else kept.nameless.set(key, item);
  }

  for await (const page of vault.listKeys()) {
    for (const item of page) compare(item);
    const keptCount = kept.named.size + kept.nameless.size;
    const isOver = now() >= until;
    const isLong = now().getTime() - gatheredSince >= gatherMilliseconds;
    if (keptCount >= mostKept || (keptCount > 0 && (isLong || isOver))) await examineKept(false);
    if (isOver) throw tooLong(vault);
  }
  await examineKept(true);
  return { strangers, isAnyOwed: known.hasOwed };
}

function tooLong({ name }: TargetVault): AzureFailure {
  return new AzureFailure('unavailable', `Key Vault "${name}" has more keys than can be listed in time`);
}

interface Known {
  /** By their names in the vault. */
  named: HeldDigests;
  /** By their own names, which are in the owner tag: what they are called in the vault isn't known yet. */
  nameless: HeldDigests;
  hasDeviating: boolean;
  hasOwed: boolean;
}

interface Kept {
  named: Map<string, KeyItem>;
  nameless: Map<string, KeyItem>;
}

async function readHeld({ held }: ListingRequest): Promise<Known> {
  const known = { named: createHeldDigests(), nameless: createHeldDigests(), hasDeviating: false, hasOwed: false };
  for await (const page of held()) {
    for (const entry of page) {
      const { key, kmsName, seen, owed } = entry;
      if (kmsName === undefined) known.nameless.add(key, undefined);
      else known.named.add(kmsName, seen && withoutMark(seen));
      known.hasDeviating ||= isDeviating(entry);
      known.hasOwed ||= owed ?? false;
    }
  }
  return known;
}

/**
 * Reads again what is held, of which too little was kept. What was booked anew meanwhile is left to the next look.
 * @param isWhole whether what the list hasn't shown isn't there
 */
async function* findSuspects(
  { held, judgeAnew }: ListingRequest,
  { named, nameless, hasDeviating }: Known,
  kept: Kept,
  isWhole: boolean,
): Suspects {
  const isJudgedAnew = judgeAnew && hasDeviating && isWhole;
  if (named.changedCount() + nameless.changedCount() === 0 && !isJudgedAnew) return;

  function toSuspect(entry: HeldKey): Suspect | undefined {
    const { key, kmsName } = entry;
    if (entry.owed) return undefined;
    const seen = kmsName === undefined ? nameless.changeOf(key) : named.changeOf(kmsName);
    if (seen === undefined || isRemembered(entry, seen)) {
      return isJudgedAnew && isDeviating(entry) ? { held: entry, seen: entry.seen ?? '' } : undefined;
    }
    const item = kmsName === undefined ? kept.nameless.get(key) : kept.named.get(kmsName);
    if (item !== undefined) return { held: entry, item, seen };
    return seen === absence && isWhole ? { held: entry, seen } : undefined;
  }

  for await (const page of held()) yield page.map(toSuspect).filter((suspect) => suspect !== undefined);
}

/**
 * Reads one key by its name, where listing isn't permitted.
 * @returns undefined if it looks as it did when it was last compared
 * @throws AzureFailure
 */
export async function readByName(vault: TargetVault, entry: HeldKey): Promise<Suspect | undefined> {
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
