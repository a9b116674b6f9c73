import { describeDeviations, describeStray } from '../reconcile/drift/findings.ts';
import { isRead } from '../reconcile/drift/observe.ts';
import { lightIntervalSeconds, thoroughIntervalSeconds, thoroughlyReadSeconds } from '../reconcile/drift/schedule.ts';
import { isUnsure } from '../reconcile/placements.ts';
import { has } from '../reconcile/plan.ts';
import type { HeldKey, InspectionRecord, InspectionStore } from '../state/inspections.ts';
import type { DistributionState, KeyState, PlacementRecord } from '../state/key-records.ts';
import type { KeyStore } from '../state/keys.ts';
import type { DriftPolicy, ProviderReference, ProviderStore } from '../state/providers.ts';

/**
 * `confirmed`: a read showed it to be as it should. `imported`: the vault's reply to a change said so, and no read has yet.
 * `pending`: on its way. `refused`: the vault said no. `drifted`, `missing`: somebody changed it or it is gone. `unknown`:
 * too long ago that it was read, or a change of it ended without an answer.
 */
export type VersionState = 'confirmed' | 'imported' | 'pending' | 'refused' | 'drifted' | 'missing' | 'unknown';

export interface VersionStatus {
  version: number;
  state: VersionState;
  /** When a read last showed what the vault holds; absent: never. */
  readTime?: Date;
  reason?: string;
}

export interface KeyStatus {
  key: string;
  kmsName: string;
  versions: readonly VersionStatus[];
  /** What else is to be said about the key there. */
  notes: readonly string[];
}

export interface ProviderStatus {
  drift: DriftPolicy;
  inspection: InspectionRecord | undefined;
  keys: readonly KeyStatus[];
  /** Where the next page begins; absent: this was the last one. */
  next?: string;
}

export interface StatusPage {
  /** Only keys after this one. */
  after?: string;
  /** At most this many keys. */
  limit: number;
}

export const unseenEnd = "it isn't known how the last change of it ended, so it is made once more";

/** Missed so often, what a pass saw is no longer known. */
const lightLimitSeconds = 3 * lightIntervalSeconds;
const thoroughLimitSeconds = 3 * thoroughIntervalSeconds;

export interface StatusOptions {
  keys: KeyStore;
  providers: ProviderStore;
  inspections: InspectionStore;
  now: () => Date;
}

/** Tells what is known of a provider's vault, and since when. Makes no call to it. One read for each key of the page. */
export function createStatus({ keys, providers, inspections, now }: StatusOptions) {
  async function readPage(reference: ProviderReference, { after, limit }: StatusPage): Promise<HeldKey[]> {
    const found: HeldKey[] = [];
    for await (const page of inspections.held(reference, after)) {
      found.push(...page);
      // One more than is shown tells whether there is another page.
      if (found.length > limit) break;
    }
    return found;
  }

  return async (reference: ProviderReference, page: StatusPage): Promise<ProviderStatus | undefined> => {
    const provider = await providers.read(reference);
    if (provider === undefined) return undefined;
    const inspection = await inspections.read(reference, provider.createdTime);
    const held = await readPage(reference, page);
    const shown = held.slice(0, page.limit);
    const statuses = await Promise.all(
      shown.map(async (entry) => {
        const state = await keys.read({ mount: reference.mount, key: entry.key });
        const distribution = state?.distributions.find((one) => one.distribution.provider === reference.provider);
        return state && distribution && keyStatus({ held: entry, state, entry: distribution, inspection, now: now() });
      }),
    );
    const last = held.length > shown.length ? shown.at(-1)?.key : undefined;
    return {
      drift: provider.drift ?? 'repair',
      inspection,
      keys: statuses.filter((status) => status !== undefined),
      ...(last !== undefined && { next: last }),
    };
  };
}

interface Known {
  held: HeldKey;
  state: KeyState;
  entry: DistributionState;
  inspection: InspectionRecord | undefined;
  now: Date;
}

/** What is known of one key in the vault. */
export function keyStatus(known: Known): KeyStatus {
  const { state, entry, held } = known;
  const { kmsName, strays = [], restoration, refusal, delay } = entry.distribution;
  return {
    key: held.key,
    kmsName,
    versions: state.versions.map(({ version }) => versionStatus(known, version)),
    notes: [
      ...strays.map(describeStray),
      ...(restoration === undefined ? [] : [restoration]),
      ...[refusal?.reason, delay].filter((words) => words !== undefined),
      ...(held.doubt === undefined ? [] : [`it could not be read the last time: ${held.doubt}`]),
    ],
  };
}

function versionStatus(known: Known, version: number): VersionStatus {
  const { entry, held, now } = known;
  const { refusal, delay } = entry.distribution;
  const placement = entry.placements.find((candidate) => candidate.version === version);
  if (placement === undefined) {
    if (refusal !== undefined) return { version, state: 'refused', reason: refusal.reason };
    return { version, state: 'pending', ...(delay !== undefined && { reason: delay }) };
  }
  const isNewest = placement === entry.placements.at(-1);
  const readTime = lastRead(known, placement, isNewest);
  const result = judge(known, placement);
  const since = readTime === undefined || readTime < placement.confirmedTime ? placement.confirmedTime : readTime;
  const ageSeconds = Math.floor((now.getTime() - since.getTime()) / 1000);
  const limitSeconds = isNewest ? lightLimitSeconds : thoroughLimitSeconds;
  const read = readTime === undefined ? {} : { readTime };
  const { failure, failureTime } = known.inspection ?? {};
  const isMissed = failure !== undefined && failureTime !== undefined && since < failureTime;
  if (ageSeconds > limitSeconds || isMissed || held.doubt !== undefined) {
    const was = result.reason === undefined ? result.state : `${result.state} (${result.reason})`;
    const why = failure ?? held.doubt;
    const reason = `not read for ${ageSeconds} seconds; before that it was ${was}${why === undefined ? '' : `: ${why}`}`;
    return { version, state: 'unknown', ...read, reason };
  }
  return { version, ...result, ...read };
}

/** Not less recent than this: what a pass saw unchanged isn't written down with each key. */
function lastRead({ held, entry, inspection }: Known, placement: PlacementRecord, isNewest: boolean) {
  const { readTime, confirmedTime } = placement;
  // Passes don't look at what is on its way out: it may be gone already.
  if (entry.distribution.removing) return readTime;
  const isSeen = held.seen !== undefined && held.doubt === undefined && held.owed === undefined;
  const passes = [
    thoroughRead(placement, held.owed ? inspection?.earlierThoroughTime : inspection?.thoroughTime),
    isNewest && isSeen ? inspection?.lightTime : undefined,
  ];
  const times = [readTime, ...passes.filter((time) => time !== undefined && time >= confirmedTime)];
  const known = times.filter((time) => time !== undefined).map((time) => time.getTime());
  return known.length === 0 ? undefined : new Date(Math.max(...known));
}

/** A thorough pass, unless it may have left out the version because it was read shortly before. */
function thoroughRead(placement: PlacementRecord, time: Date | undefined): Date | undefined {
  if (time === undefined || placement.readTime === undefined || !isRead(placement)) return undefined;
  return time.getTime() - placement.readTime.getTime() > thoroughlyReadSeconds * 1000 ? time : undefined;
}

function judge({ state, entry }: Known, placement: PlacementRecord): Pick<VersionStatus, 'state' | 'reason'> {
  const reason = describeDeviations(placement);
  if (reason !== undefined) return { state: has(placement, 'missing') ? 'missing' : 'drifted', reason };
  if (placement.enabled !== placement.version >= state.key.minEnabledVersion) {
    const { refusal } = entry.distribution;
    const change = placement.enabled ? 'it is yet to be disabled' : 'it is yet to be enabled';
    return refusal === undefined ? { state: 'pending', reason: change } : { state: 'refused', reason: refusal.reason };
  }
  if (isUnsure(placement)) return { state: 'unknown', reason: unseenEnd };
  return isRead(placement) ? { state: 'confirmed' } : { state: 'imported', reason: 'no read has shown it yet' };
}
