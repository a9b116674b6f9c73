import type { SecretEngineConfig, SecretRecord, SecretVersion } from '../state/secret-records.ts';

/** How many versions are kept where neither the secret nor the engine says. */
const defaultMaxVersions = 10;

/** As many versions as the record of a secret has room for beside the largest value and custom metadata. */
export const mostVersions = 2000;

/** What a change makes of a record. */
export interface Changed {
  record: SecretRecord;
  /** Versions that lose their values with it. */
  forget: readonly number[];
}

/** The record of a secret that has no version yet. */
export function newRecord(now: Date): SecretRecord {
  return {
    currentVersion: 0,
    oldestVersion: 0,
    versions: [],
    createdTime: now,
    updatedTime: now,
    maxVersions: 0,
    casRequired: false,
    deleteVersionAfterSeconds: 0,
    customMetadata: null,
  };
}

export function findVersion({ versions }: SecretRecord, version: number): SecretVersion | undefined {
  return versions.find((entry) => entry.version === version);
}

/** Versions that have values. */
export function keptVersions({ versions }: SecretRecord): number[] {
  return versions.filter(({ destroyed }) => !destroyed).map(({ version }) => version);
}

/** Whether a version can't be read, be it deleted, past its time, or destroyed. */
export function isGone({ destroyed, deletionTime }: SecretVersion, now: Date): boolean {
  return destroyed || (deletionTime !== undefined && deletionTime <= now);
}

/** Times after `now` at which versions stop being readable by themselves, in milliseconds. */
export function comingEnds(record: SecretRecord | undefined, now: Date): Set<number> {
  const times = (record?.versions ?? []).flatMap((version) =>
    isGone(version, now) || version.deletionTime === undefined ? [] : [version.deletionTime.getTime()],
  );
  return new Set(times);
}

/** Adds a version; the oldest go once there are more than may be. */
export function addVersion(record: SecretRecord, config: SecretEngineConfig, now: Date): Changed {
  const currentVersion = record.currentVersion + 1;
  const added = { version: currentVersion, createdTime: now, destroyed: false, ...deletionTime(record, config, now) };
  // The larger of the two counts, whichever it is: Vault's rule.
  const most = Math.max(record.maxVersions, config.maxVersions) || defaultMaxVersions;
  const full = currentVersion - record.oldestVersion >= most;
  const oldestVersion = full ? currentVersion - most + 1 : record.oldestVersion;
  const versions = [...record.versions, added].filter(({ version }) => version >= oldestVersion);
  return {
    record: { ...record, currentVersion, oldestVersion, versions, updatedTime: now },
    forget: keptVersions(record).filter((version) => version < oldestVersion),
  };
}

/** @returns undefined if all of them are gone already, or never were */
export function deleteVersions(record: SecretRecord, numbers: readonly number[], now: Date): Changed | undefined {
  return changeVersions(record, numbers, (version) =>
    isGone(version, now) ? version : { ...version, deletionTime: now },
  );
}

/**
 * Brings versions back; where there is a rule for it their time begins anew, even for those that weren't deleted.
 * @returns undefined if nothing changes
 */
export function undeleteVersions(
  record: SecretRecord,
  numbers: readonly number[],
  config: SecretEngineConfig,
  now: Date,
): Changed | undefined {
  const until = deletionTime(record, config, now);
  return changeVersions(record, numbers, (version) => {
    const { deletionTime: before, ...rest } = version;
    const unchanged = before?.getTime() === until.deletionTime?.getTime();
    return version.destroyed || unchanged ? version : { ...rest, ...until };
  });
}

/** @returns undefined if all of them are destroyed already, or never were */
export function destroyVersions(record: SecretRecord, numbers: readonly number[]): Changed | undefined {
  const destroyed = changeVersions(record, numbers, (version) =>
    version.destroyed ? version : { ...version, destroyed: true },
  );
  const wanted = new Set(numbers);
  return destroyed && { ...destroyed, forget: keptVersions(record).filter((version) => wanted.has(version)) };
}

function changeVersions(
  record: SecretRecord,
  numbers: readonly number[],
  change: (version: SecretVersion) => SecretVersion,
): Changed | undefined {
  const wanted = new Set(numbers);
  const versions = record.versions.map((version) => (wanted.has(version.version) ? change(version) : version));
  const changed = versions.some((version, index) => version !== record.versions[index]);
  return changed ? { record: { ...record, versions }, forget: [] } : undefined;
}

/** The shorter time of secret and engine counts; a negative one of the engine switches the rule off. */
function deletionTime(record: SecretRecord, config: SecretEngineConfig, now: Date): { deletionTime?: Date } {
  if (config.deleteVersionAfterSeconds < 0) return {};
  const rules = [record.deleteVersionAfterSeconds, config.deleteVersionAfterSeconds].filter((seconds) => seconds > 0);
  return rules.length === 0 ? {} : { deletionTime: new Date(now.getTime() + Math.min(...rules) * 1000) };
}
