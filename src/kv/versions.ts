import type { SecretEngineConfig, SecretRecord, SecretVersion } from '../state/secret-records.ts';

/** How many versions are kept where neither the secret nor the engine says. */
const defaultMaxVersions = 10;

/** What a change makes of a record. */
export interface Changed {
  record: SecretRecord;
  /** Versions whose values go with it. */
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

/** Whether a version can't be read, be it deleted, past its time, or destroyed. */
export function isGone({ destroyed, deletionTime }: SecretVersion, now: Date): boolean {
  return destroyed || (deletionTime !== undefined && deletionTime <= now);
}

/** When the first version that is still readable stops being so by itself. */
export function nextDeletion({ versions }: SecretRecord, now: Date): Date | undefined {
  const times = versions.flatMap(({ deletionTime, destroyed }) =>
    deletionTime === undefined || destroyed || deletionTime <= now ? [] : [deletionTime.getTime()],
  );
  return times.length === 0 ? undefined : new Date(Math.min(...times));
}

/** Adds a version; the oldest go once there are more than may be. */
export function addVersion(record: SecretRecord, config: SecretEngineConfig, now: Date): Changed {
  const currentVersion = record.currentVersion + 1;
  const added = { version: currentVersion, createdTime: now, destroyed: false, ...deletionTime(record, config, now) };
  const versions = [...record.versions, added];
  // The larger of the two counts, whichever it is: Vault's rule.
  const most = Math.max(record.maxVersions, config.maxVersions) || defaultMaxVersions;
  const full = currentVersion - record.oldestVersion >= most;
  const oldestVersion = full ? currentVersion - most + 1 : record.oldestVersion;
  return {
    record: {
      ...record,
      currentVersion,
      oldestVersion,
      versions: versions.filter(({ version }) => version >= oldestVersion),
      updatedTime: now,
    },
    forget: versions
      .filter(({ version, destroyed }) => version < oldestVersion && !destroyed)
      .map(({ version }) => version),
  };
}

/** @returns undefined if all of them are gone already, or never were */
export function deleteVersions(record: SecretRecord, numbers: readonly number[], now: Date): Changed | undefined {
  return changeVersions(record, numbers, (version) =>
    isGone(version, now) ? version : { ...version, deletionTime: now },
  );
}

/** Deletion times that lie ahead are set anew where there is such a rule. @returns undefined if nothing changes */
export function undeleteVersions(
  record: SecretRecord,
  numbers: readonly number[],
  config: SecretEngineConfig,
  now: Date,
): Changed | undefined {
  return changeVersions(record, numbers, (version) => {
    if (version.destroyed || version.deletionTime === undefined) return version;
    const { deletionTime: _deleted, ...rest } = version;
    return { ...rest, ...deletionTime(record, config, now) };
  });
}

/** @returns undefined if all of them are destroyed already, or never were */
export function destroyVersions(record: SecretRecord, numbers: readonly number[]): Changed | undefined {
  const destroyed = changeVersions(record, numbers, (version) =>
    version.destroyed ? version : { ...version, destroyed: true },
  );
  if (destroyed === undefined) return undefined;
  const before = record.versions.filter((version) => numbers.includes(version.version) && !version.destroyed);
  return { ...destroyed, forget: before.map(({ version }) => version) };
}

function changeVersions(
  record: SecretRecord,
  numbers: readonly number[],
  change: (version: SecretVersion) => SecretVersion,
): Changed | undefined {
  const versions = record.versions.map((version) => (numbers.includes(version.version) ? change(version) : version));
  const changed = versions.some((version, index) => version !== record.versions[index]);
  return changed ? { record: { ...record, versions }, forget: [] } : undefined;
}

/** The shorter time of secret and engine counts; a negative one of the engine switches the rule off. */
function deletionTime(record: SecretRecord, config: SecretEngineConfig, now: Date): { deletionTime?: Date } {
  if (config.deleteVersionAfterSeconds < 0 || record.deleteVersionAfterSeconds < 0) return {};
  const rules = [record.deleteVersionAfterSeconds, config.deleteVersionAfterSeconds].filter((seconds) => seconds > 0);
  return rules.length === 0 ? {} : { deletionTime: new Date(now.getTime() + Math.min(...rules) * 1000) };
}
