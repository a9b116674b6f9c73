import { randomUUID } from 'node:crypto';
import { isAzureFailure, type AzureFailure } from '../../azure-failure.ts';
import { isKeyfleetError } from '../../errors.ts';
import type { TargetVault } from '../../key-vault/target-vault.ts';
import type { Messaging } from '../../messaging/index.ts';
import type { HeldKey, InspectionRecord, InspectionStore } from '../../state/inspections.ts';
import type { KeyStore } from '../../state/keys.ts';
import type { ProviderRecord, ProviderReference, ProviderStore } from '../../state/providers.ts';
import type { Targets } from '../target.ts';
import { tagNames } from '../version-marks.ts';
import { deviationMark, listVault, withoutMark, type Suspect } from './listing.ts';
import type { Look } from './look.ts';
import { lightIntervalSeconds } from './schedule.ts';

/** How often every version of every key is looked at: a list of keys shows the newest ones alone. */
export const thoroughIntervalSeconds = 24 * 3600;

/** After so long the rest is left to another message: no function runs for more than minutes. */
const timeBoxSeconds = 240;

/** Keys looked at side by side. */
const looksAtOnce = 8;

/** So many keys that can't be read, and it is the vault that can't. */
const mostFailures = 10;

/** More extras than this are counted, not named. */
const mostExtras = 100;

/** Looks through a provider's vault for what somebody changed there. Never changes anything in it. */
export interface DriftPass {
  /**
   * May be called any number of times, several at once too. What the vault doesn't let us see is recorded; throws only if
   * Keyfleet's own state or queue failed.
   */
  run(reference: ProviderReference): Promise<void>;
}

export interface DriftPassOptions {
  providers: ProviderStore;
  inspections: InspectionStore;
  keys: KeyStore;
  targets: Targets;
  messaging: Messaging;
  look: Look;
  now: () => Date;
}

interface Visit {
  reference: ProviderReference;
  provider: ProviderRecord;
  vault: TargetVault;
  until: Date;
}

export function createDriftPass(options: DriftPassOptions): DriftPass {
  const { providers, inspections, keys, targets, messaging, look, now } = options;

  async function run(reference: ProviderReference): Promise<void> {
    const provider = await providers.read(reference);
    if (provider === undefined) return;
    const began = now();
    const {
      failure: _failure,
      failureTime: _failureTime,
      ...before
    } = (await inspections.read(reference, provider.createdTime)) ?? {
      ...nothingSeen,
      providerCreatedTime: provider.createdTime,
    };
    const progress: InspectionRecord = { ...before };
    try {
      const until = new Date(began.getTime() + timeBoxSeconds * 1000);
      const visit: Visit = { reference, provider, vault: targets.open(provider, 'background'), until };
      const isComplete = (await lightPass(visit, progress, began)) && (await thoroughPass(visit, progress, began));
      await inspections.write(reference, progress);
      if (!isComplete) await messaging.check(reference, randomUUID());
    } catch (error) {
      if (!isAzureFailure(error) && !isKeyfleetError(error, 'invalid_request')) throw error;
      await inspections.write(reference, { ...progress, failure: error.message, failureTime: now() });
    }
  }

  /** @returns whether it came to its end in time */
  async function lightPass(visit: Visit, progress: InspectionRecord, began: Date): Promise<boolean> {
    const { reference, provider, vault } = visit;
    const { lightTime } = progress;
    // Going on with a thorough one that took longer than a message may.
    const isRecent =
      lightTime !== undefined && began.getTime() - lightTime.getTime() < (lightIntervalSeconds * 1000) / 2;
    if (isRecent && progress.thoroughCursor !== undefined) return true;

    const drift = provider.drift ?? 'repair';
    const held = () => inspections.held(reference);
    const listing = await listVault({ vault, reference, held, judgeAnew: drift !== progress.drift });
    const { suspects, isWhole, strangers, mayList } = listing;
    const failures: AzureFailure[] = [];
    for await (const page of suspects) {
      if (now() >= visit.until || !(await lookAt(visit, page, failures)).isComplete) return false;
    }
    progress.mayList = mayList;
    if (!isWhole) return false;
    const { extras, extraCount } = mayList ? await confirmExtras(visit, strangers, progress.extras) : progress;
    progress.lightTime = began;
    progress.drift = drift;
    progress.extras = extras;
    progress.extraCount = extraCount;
    return true;
  }

  async function thoroughPass(visit: Visit, progress: InspectionRecord, began: Date): Promise<boolean> {
    const { thoroughTime, thoroughBegan = began } = progress;
    const isDue =
      progress.thoroughBegan !== undefined ||
      thoroughTime === undefined ||
      began.getTime() - thoroughTime.getTime() >= thoroughIntervalSeconds * 1000;
    if (!isDue) return true;
    progress.thoroughBegan = thoroughBegan;
    for await (const page of inspections.held(visit.reference, progress.thoroughCursor)) {
      for (let start = 0; start < page.length; start += looksAtOnce) {
        const group = page.slice(start, start + looksAtOnce);
        const { isComplete, lastKey } = await lookAt(visit, group.map(asItWas), []);
        if (lastKey !== undefined) progress.thoroughCursor = lastKey;
        if (!isComplete) return false;
      }
    }
    progress.thoroughTime = thoroughBegan;
    delete progress.thoroughBegan;
    delete progress.thoroughCursor;
    return true;
  }

  /**
   * Compares keys with what is recorded of them. One that can't be read is doubtful, and no reason to leave out the others.
   * @param failures so far, to which those here are added
   * @returns whether there was time for all of them, and the last one that there was
   * @throws AzureFailure if it is the whole vault that can't be read
   */
  async function lookAt(
    visit: Visit,
    suspects: readonly Suspect[],
    failures: AzureFailure[],
  ): Promise<{ isComplete: boolean; lastKey?: string }> {
    let lastKey: string | undefined;
    for (let start = 0; start < suspects.length; start += looksAtOnce) {
      if (now() >= visit.until) return { isComplete: false, ...(lastKey !== undefined && { lastKey }) };
      const group = suspects.slice(start, start + looksAtOnce);
      const results = await Promise.all(group.map((suspect) => lookAtOne(visit, suspect, failures)));
      await inspections.recordSeen(
        visit.reference,
        results.filter((result) => result !== undefined),
      );
      const fatal = failures.find(isOfTheVault) ?? (failures.length >= mostFailures ? failures[0] : undefined);
      if (fatal !== undefined) throw fatal;
      lastKey = group.at(-1)?.held.key;
    }
    return { isComplete: true, ...(lastKey !== undefined && { lastKey }) };
  }

  async function lookAtOne(
    { reference, provider, vault }: Visit,
    { held, item, seen }: Suspect,
    failures: AzureFailure[],
  ): Promise<HeldKey | undefined> {
    const { key, etag } = held;
    try {
      const outcome = await look.look({
        reference: { ...reference, key },
        provider,
        vault,
        ...(item && { item }),
      });
      if (outcome.kind !== 'seen') return undefined;
      const { kmsName, deviates } = outcome;
      const isKnown = item === undefined || item.name === kmsName;
      const remembered = (deviates ? deviationMark : '') + withoutMark(seen);
      const after: HeldKey = { key, etag, kmsName, ...(isKnown && { seen: remembered }) };
      return isSame(held, after) ? undefined : after;
    } catch (error) {
      if (!isAzureFailure(error)) throw error;
      failures.push(error);
      const { kmsName } = held;
      return { key, etag, ...(kmsName !== undefined && { kmsName }), doubt: error.message };
    }
  }

  /**
   * A key that seems to be extra may have been distributed or removed while the list was made. Only those that will be
   * named are read; they stay the same for as long as they are there.
   */
  async function confirmExtras(
    { reference, vault }: Visit,
    strangers: readonly string[],
    known: readonly string[],
  ): Promise<Pick<InspectionRecord, 'extras' | 'extraCount'>> {
    const knownNames = new Set(known);
    const extras = strangers.filter((name) => knownNames.has(name));
    let extraCount = strangers.length;
    for (const name of strangers) {
      if (extras.length >= mostExtras) break;
      if (knownNames.has(name)) continue;
      if (await isExtra(reference, vault, name)) extras.push(name);
      else extraCount--;
    }
    return { extras, extraCount };
  }

  async function isExtra(reference: ProviderReference, vault: TargetVault, name: string): Promise<boolean> {
    const found = await vault.getKey(name);
    const key = found?.tags[tagNames.owner]?.slice(`${reference.mount}/${reference.provider}/`.length);
    if (key === undefined) return false;
    const state = await keys.read({ mount: reference.mount, key });
    const entry = state?.distributions.find(({ distribution }) => distribution.provider === reference.provider);
    return entry?.distribution.kmsName !== name;
  }

  return { run };
}

const nothingSeen = { mayList: true, drift: 'repair', extras: [], extraCount: 0 } as const;

/** Whether the next key would fare no better. */
function isOfTheVault({ kind }: AzureFailure): boolean {
  return kind === 'credentials' || kind === 'no-such-vault' || kind === 'throttled';
}

function asItWas(held: HeldKey): Suspect {
  return { held, seen: held.seen ?? '' };
}

function isSame(left: HeldKey, right: HeldKey): boolean {
  return left.kmsName === right.kmsName && left.seen === right.seen && left.doubt === right.doubt;
}
