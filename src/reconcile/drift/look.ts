import type { KeyItem, TargetVault } from '../../key-vault/target-vault.ts';
import type {
  DistributionRecord,
  DistributionReference,
  DistributionState,
  KeyState,
  PlacementRecord,
  Stored,
  Stray,
} from '../../state/key-records.ts';
import { mostSeenAtOnce, type KeyStore } from '../../state/keys.ts';
import type { DriftPolicy, ProviderRecord } from '../../state/providers.ts';
import { guardOfDistribution, type Announcer, type DistributionSubject } from '../intents.ts';
import { isUnsure } from '../placements.ts';
import { nextStep } from '../plan.ts';
import { sameMembers, sameTags, tagsOf } from '../version-marks.ts';
import { isRead, observe } from './observe.ts';

export interface LookRequest {
  reference: DistributionReference;
  provider: ProviderRecord;
  vault: TargetVault;
  /** The key as a list, or a read of its newest version, has just shown it: often that is all there is to see. */
  item?: KeyItem;
  /** Set by a pass over the whole vault, which leaves alone what others are at. */
  inPass?: PassRequest;
}

export interface PassRequest {
  /** When it began, or the list that shows `item`: what was changed since, it may show as it was before. */
  began: Date;
  /** What a read showed since then needn't be read again. */
  readSince?: Date;
  /** The whole key seems to be gone: whatever work there is for it, it has to be known before that is done. */
  mayBeGone: boolean;
}

/**
 * `seen`: what was found is recorded. `changing`: somebody was at work on it at the same time, and nothing was learnt.
 * `nothing-there`: there is no such distribution, or nothing of it in the vault yet, or it is about to leave. `known`:
 * every version was read lately.
 */
export type LookOutcome =
  | { kind: 'seen'; kmsName: string; deviates: boolean }
  | { kind: 'changing' }
  | { kind: 'nothing-there' }
  | { kind: 'known' };

export interface Look {
  /**
   * Looks at one key in one vault and records what it really is there. If that is to be repaired, the reconciler is woken.
   * @throws AzureFailure if the vault couldn't be read: nothing is recorded
   */
  look(request: LookRequest): Promise<LookOutcome>;
}

const mostTries = 5;

export function createLook({ keys, announcer, now }: { keys: KeyStore; announcer: Announcer; now: () => Date }): Look {
  async function lookOnce(
    { reference, provider, vault, item }: LookRequest,
    inPass: PassRequest | undefined,
  ): Promise<LookOutcome | 'again'> {
    const state = await keys.read(reference);
    const entry = state?.distributions.find(({ distribution }) => distribution.provider === reference.provider);
    if (state === undefined || entry === undefined || entry.distribution.removing) return { kind: 'nothing-there' };
    if (entry.placements.length === 0) return { kind: 'nothing-there' };

    const isExplained = item !== undefined && showsWhatWeKnow(reference, state, entry, item);
    if (inPass !== undefined && !isExplained) {
      if (isAtWork(state, entry, inPass)) return { kind: 'changing' };
      if (isReadSince(entry, inPass.readSince)) return { kind: 'known' };
    }
    const time = now();
    const { placements, strays } = isExplained
      ? { placements: withNewestRead(entry.placements, time), strays: [] }
      : await observe(vault, { reference, state, distribution: entry }, time);
    const changed = placements.filter((placement) => !isKnown(placement, entry.placements));
    const distribution = distributionAfter(entry, provider, changed, strays);
    const { strays: knownStrays = [], drift } = entry.distribution;
    if (changed.length === 0 && sameMembers(strays, knownStrays) && distribution.drift === drift) {
      return seen(distribution, placements);
    }
    const written = changed.slice(0, mostSeenAtOnce);
    const recorded = await record(
      reference,
      state,
      { distribution, placements: merge(entry.placements, written) },
      written,
    );
    if (!recorded) return { kind: 'changing' };
    return written.length < changed.length ? 'again' : seen(distribution, placements);
  }

  /** If there is something to repair, it is announced before it becomes visible: then it isn't lost. */
  async function record(
    reference: DistributionReference,
    state: KeyState,
    after: DistributionState,
    seen: readonly PlacementRecord[],
  ): Promise<boolean> {
    const { distribution } = after;
    if (nextStep(state, after) === undefined) {
      // What was delayed has come to pass.
      const { delay: _delay, ...settled } = distribution;
      return keys.recordSeen(reference, settled, seen);
    }
    const subject: DistributionSubject = { kind: 'distribution', ...reference };
    const stamp = await announcer.announce(subject, guardOfDistribution(distribution));
    const recorded = await keys.recordSeen(reference, distribution, seen);
    // Whoever was quicker may have left work behind too: looking once more costs little.
    await announcer.wake(subject, stamp);
    return recorded;
  }

  return {
    async look(request) {
      for (let tries = 1; tries <= mostTries; tries++) {
        const outcome = await lookOnce(request, tries === 1 ? request.inPass : undefined);
        if (outcome !== 'again') return outcome;
      }
      return { kind: 'changing' };
    },
  };
}

function seen({ kmsName, strays = [] }: DistributionRecord, placements: readonly PlacementRecord[]): LookOutcome {
  const deviates = strays.length > 0 || placements.some(({ deviations }) => deviations !== undefined);
  return { kind: 'seen', kmsName, deviates };
}

/** Whether the vault is about to follow, or was changed by ourselves since: it is no use to look there now. */
function isAtWork(state: KeyState, entry: DistributionState, { began, mayBeGone }: PassRequest): boolean {
  if (entry.placements.some((placement) => placement.confirmedTime >= began && !isRead(placement))) return true;
  const { refusal, delay } = entry.distribution;
  return !mayBeGone && refusal === undefined && delay === undefined && nextStep(state, entry) !== undefined;
}

function isReadSince({ placements }: DistributionState, time: Date | undefined): boolean {
  if (time === undefined) return false;
  return placements.every(
    (placement) => isRead(placement) && !isUnsure(placement) && (placement.readTime ?? 0) >= time,
  );
}

/** Whether the newest version is as we know it, nothing is known to be wrong with any, and nothing is on top of it. */
function showsWhatWeKnow(
  reference: DistributionReference,
  state: KeyState,
  { distribution, placements }: DistributionState,
  item: KeyItem,
): boolean {
  const newest = placements.at(-1);
  const version = state.versions.find((entry) => entry.version === newest?.version);
  if (newest === undefined || version === undefined || item.name !== distribution.kmsName) return false;
  const isQuiet = distribution.strays === undefined && placements.every(({ deviations }) => deviations === undefined);
  return (
    isQuiet &&
    newest.updatedTime?.getTime() === item.updatedTime.getTime() &&
    newest.enabled === item.enabled &&
    sameTags(item.tags, tagsOf(reference, distribution, version))
  );
}

function withNewestRead(placements: readonly PlacementRecord[], readTime: Date): PlacementRecord[] {
  return placements.map((placement, index) =>
    index === placements.length - 1 && !isRead(placement) ? { ...placement, readTime } : placement,
  );
}

function isKnown(placement: PlacementRecord, known: readonly PlacementRecord[]): boolean {
  const before = known.find(({ version }) => version === placement.version);
  return (
    before !== undefined &&
    isRead(before) &&
    before.kmsVersion === placement.kmsVersion &&
    before.enabled === placement.enabled &&
    before.unsure === placement.unsure &&
    JSON.stringify(before.duplicates) === JSON.stringify(placement.duplicates) &&
    before.updatedTime?.getTime() === placement.updatedTime?.getTime() &&
    sameMembers(before.deviations ?? [], placement.deviations ?? [])
  );
}

function merge(known: readonly PlacementRecord[], seen: readonly PlacementRecord[]): PlacementRecord[] {
  const merged = new Map([...known, ...seen].map((placement) => [placement.version, placement]));
  return [...merged.values()].sort((left, right) => left.version - right.version);
}

/** What the distribution becomes by what was seen. News is a reason to try again what the vault refused before it. */
function distributionAfter(
  { distribution, placements }: DistributionState,
  { drift = 'repair' }: ProviderRecord,
  changed: readonly PlacementRecord[],
  strays: readonly Stray[],
): Stored<DistributionRecord> {
  const { drift: applied, refusal, ...rest } = distribution;
  const hasNews = changed.some(({ deviations }) => deviations !== undefined) || !isSubset(strays, rest.strays ?? []);
  const isClean = strays.length === 0 && merge(placements, changed).every(({ deviations }) => deviations === undefined);
  return {
    ...rest,
    strays,
    ...(refusal && !(hasNews && refusal.retryTime === undefined) && { refusal }),
    ...(!isClean && (applied === 'mend' && !hasNews ? { drift: applied } : withPolicy(drift))),
  };
}

function isSubset<T>(part: readonly T[], whole: readonly T[]): boolean {
  return part.every((member) => whole.includes(member));
}

/** What is done about what somebody did in a vault, unless it was asked to be mended. */
export function withPolicy(drift: DriftPolicy): Pick<DistributionRecord, 'drift'> {
  return drift === 'repair' ? {} : { drift };
}
