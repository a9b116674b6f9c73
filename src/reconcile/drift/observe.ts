import { createPublicKey } from 'node:crypto';
import { isAzureFailure } from '../../azure-failure.ts';
import type { TargetVault, VersionSummary } from '../../key-vault/target-vault.ts';
import type { VaultKey } from '../../key-vault/transformations.ts';
import type {
  Copy,
  Deviation,
  DistributionReference,
  DistributionState,
  KeyState,
  PlacementRecord,
  Stray,
  VersionRecord,
} from '../../state/key-records.ts';
import { has } from '../plan.ts';
import { addCopy, idsOf } from '../placements.ts';
import { operationsOf, ownerTag, sameMembers, sameTags, tagNames, tagsOf } from '../version-marks.ts';

/** What a vault was seen to hold of a key. */
export interface Observation {
  /** One for each placement there was, and for versions of ours that nobody knew of. */
  placements: readonly PlacementRecord[];
  strays: readonly Stray[];
}

export interface Subject {
  reference: DistributionReference;
  state: KeyState;
  distribution: DistributionState;
}

/**
 * Reads what a vault holds of one key and compares it with what was put there. Makes no change.
 *
 * One list of versions, and a read of those alone whose own time of change isn't the one we know, or which seem to be
 * missing: a list that lost a page looks like a whole one. Without the `list` permission each version is read by its id,
 * and versions that aren't ours are seen only if they are the newest.
 *
 * @throws AzureFailure if anything couldn't be read: then nothing was learnt
 */
export async function observe(vault: TargetVault, subject: Subject, now: Date): Promise<Observation> {
  const listed = await listVersions(vault, subject.distribution.distribution.kmsName);
  const observer = createObserver(vault, subject, now);
  return listed === undefined ? observer.byReading() : observer.byListing(listed);
}

/** @returns undefined where listing isn't permitted */
async function listVersions(vault: TargetVault, kmsName: string): Promise<VersionSummary[] | undefined> {
  try {
    return await vault.listVersions(kmsName);
  } catch (error) {
    if (isAzureFailure(error, 'forbidden')) return undefined;
    throw error;
  }
}

function createObserver(vault: TargetVault, { reference, state, distribution: entry }: Subject, now: Date) {
  const { distribution } = entry;
  const { kmsName } = distribution;
  const versions = new Map(state.versions.map((version) => [version.version, version]));
  const placements = new Map(entry.placements.map((placement) => [placement.version, placement]));
  const strays = new Set<Stray>();

  async function look(placement: PlacementRecord): Promise<void> {
    const key = await vault.getKeyVersion(kmsName, placement.kmsVersion);
    placements.set(placement.version, key === undefined ? lost(placement) : compare(placement, key));
  }

  function lost(placement: PlacementRecord): PlacementRecord {
    return { ...placement, readTime: now, deviations: ['missing'] };
  }

  function compare(placement: PlacementRecord, key: VaultKey): PlacementRecord {
    const version = versions.get(placement.version);
    const deviations: Deviation[] = [];
    if (version === undefined || !sameMaterial(key, version)) deviations.push('material');
    if (!sameMembers(key.operations, operationsOf(distribution))) deviations.push('operations');
    if (version !== undefined && !sameTags(key.tags, tagsOf(reference, distribution, version))) deviations.push('tags');
    if (isTurned(placement, key.enabled)) deviations.push('enabled');
    const { kmsVersion, provider } = placement;
    const seen = { enabled: key.enabled, updatedTime: key.updatedTime, confirmedTime: now, readTime: now };
    return {
      ...{ provider, version: placement.version, kmsVersion },
      ...seen,
      ...(placement.unsure === true && isUnderWay(placement.version) && { unsure: true }),
      ...(placement.duplicates && { duplicates: placement.duplicates }),
      ...(deviations.length > 0 && { deviations }),
    };
  }

  /** Whether it is somebody else who enabled or disabled the version, and not we who have yet to, or have unseen. */
  function isTurned({ version, enabled, unsure, deviations = [] }: PlacementRecord, seenEnabled: boolean): boolean {
    const shouldBeEnabled = version >= state.key.minEnabledVersion;
    const isNews = seenEnabled !== enabled && unsure !== true;
    return seenEnabled !== shouldBeEnabled && (isNews || deviations.includes('enabled'));
  }

  /** A call may take effect after it was looked; once its time is over, what is there is what it left. */
  function isUnderWay(version: number): boolean {
    const { attempt } = distribution;
    return attempt?.version === version && attempt.until > now;
  }

  /** Nothing was done to the version since we know it: with that, what a list doesn't show is known too. */
  function isUnchanged(placement: PlacementRecord, { enabled, tags, updatedTime }: VersionSummary): boolean {
    const version = versions.get(placement.version);
    return (
      placement.deviations === undefined &&
      placement.unsure !== true &&
      placement.updatedTime?.getTime() === updatedTime.getTime() &&
      placement.enabled === enabled &&
      version !== undefined &&
      sameTags(tags, tagsOf(reference, distribution, version))
    );
  }

  /** The number of the version that a stranger's tags make it, if they are ours. */
  function claimedVersion(tags: Readonly<Record<string, string>>): number | undefined {
    return tags[tagNames.owner] === ownerTag(reference) ? Number(tags[tagNames.version]) : undefined;
  }

  /**
   * Finds out about a version that no placement knows.
   * @param readNewest Key Vault's id of the newest version of the key
   * @returns whether it is ours
   */
  async function judge(
    { version: id, tags }: Pick<VersionSummary, 'version' | 'tags'>,
    readNewest: () => Promise<string | undefined>,
  ): Promise<boolean> {
    const number = claimedVersion(tags);
    if (number === undefined) {
      strays.add('foreign');
      return false;
    }
    // Whoever sent the import sees to it.
    if (isUnderWay(number)) return true;
    const version = versions.get(number);
    const key = version && (await vault.getKeyVersion(kmsName, id));
    if (version === undefined || key === undefined || !sameMaterial(key, version)) {
      strays.add('impostor');
      return false;
    }
    const known = placements.get(number);
    const copy = { kmsVersion: id, enabled: key.enabled };
    if (known === undefined || has(known, 'missing')) {
      placements.set(
        number,
        compare({ provider: distribution.provider, version: number, ...copy, confirmedTime: now }, key),
      );
    } else {
      const added = await addCopy(known, copy, readNewest);
      placements.set(number, added.kmsVersion === id ? compare(added, key) : added);
    }
    return true;
  }

  /** A placement whose further copies are as the list shows them. */
  function withCopiesOf(placement: PlacementRecord, listed: ReadonlyMap<string, VersionSummary>): PlacementRecord {
    if (placement.duplicates === undefined) return placement;
    const duplicates = placement.duplicates.map((copy): Copy => {
      const summary = listed.get(copy.kmsVersion);
      if (summary === undefined) return copy;
      const { kmsVersion, unsure } = copy;
      const isDoubtful = unsure === true && isUnderWay(placement.version);
      return { kmsVersion, enabled: summary.enabled, ...(isDoubtful && { unsure }) };
    });
    return { ...placement, duplicates };
  }

  function result(): Observation {
    return {
      placements: [...placements.values()].sort((left, right) => left.version - right.version),
      strays: [...strays].sort(),
    };
  }

  return {
    async byListing(listed: readonly VersionSummary[]): Promise<Observation> {
      if (listed.length === 0 && (await vault.getKey(kmsName)) === undefined) {
        for (const placement of entry.placements) placements.set(placement.version, lost(placement));
        return result();
      }
      const byId = new Map(listed.map((summary) => [summary.version, summary]));
      const known = new Set(entry.placements.flatMap((placement) => idsOf(placement)));
      for (const placement of entry.placements) {
        const summary = byId.get(placement.kmsVersion);
        if (summary === undefined || !isUnchanged(placement, summary)) await look(placement);
        else if (!isRead(placement)) placements.set(placement.version, { ...placement, readTime: now });
      }
      for (const placement of placements.values()) placements.set(placement.version, withCopiesOf(placement, byId));
      for (const summary of listed.filter(({ version }) => !known.has(version))) {
        if (await judge(summary, () => newestOf(vault, kmsName, listed))) known.add(summary.version);
      }
      if (strays.has('foreign') || strays.has('impostor')) {
        const top = await newestOf(vault, kmsName, listed);
        if (top !== undefined && !known.has(top)) strays.add('foreign-on-top');
      }
      return result();
    },

    async byReading(): Promise<Observation> {
      const top = await vault.getKey(kmsName);
      const known = entry.placements.find(({ kmsVersion }) => kmsVersion === top?.version);
      for (const placement of entry.placements) {
        if (top === undefined) placements.set(placement.version, lost(placement));
        else if (placement !== known) await look(placement);
        else placements.set(placement.version, compare(placement, top));
      }
      if (top !== undefined && known === undefined && !(await judge(top, async () => top.version)))
        strays.add('foreign-on-top');
      return result();
    },
  };
}

/** Whether a read showed what was last confirmed. */
export function isRead({ readTime, confirmedTime }: PlacementRecord): boolean {
  return readTime !== undefined && readTime >= confirmedTime;
}

/** Times are whole seconds: where several versions are the newest, the vault is asked which it is. */
async function newestOf(
  vault: TargetVault,
  kmsName: string,
  listed: readonly VersionSummary[],
): Promise<string | undefined> {
  const latest = Math.max(...listed.map(({ createdTime }) => createdTime.getTime()));
  const [only, ...others] = listed.filter(({ createdTime }) => createdTime.getTime() === latest);
  return others.length === 0 ? only?.version : (await vault.getKey(kmsName))?.version;
}

function sameMaterial({ publicKey }: VaultKey, version: VersionRecord): boolean {
  return createPublicKey({ key: version.publicKey, format: 'der', type: 'spki' }).equals(publicKey);
}
