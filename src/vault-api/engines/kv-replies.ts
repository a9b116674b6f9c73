import type { SecretReading, VersionView } from '../../kv/secrets.ts';
import type { SecretRecord, SecretVersion } from '../../state/secret-records.ts';
import type { ListReply, Reply } from '../engine.ts';

/** @returns undefined if there is nothing to say. */
export function readingReply(reading: SecretReading): Reply | undefined {
  switch (reading.kind) {
    case 'absent':
      return undefined;
    case 'gone':
      return { data: { data: null, metadata: versionData(reading.version) }, notFound: 'with-content' };
    case 'present':
      return { data: { data: reading.data, metadata: versionData(reading.version) } };
  }
}

/** The five fields that stand for a version everywhere. */
export function versionData({ version, customMetadata, ...times }: VersionView): Record<string, unknown> {
  const { created_time, deletion_time, destroyed } = versionTimes({ version, ...times });
  return { created_time, custom_metadata: customMetadata, deletion_time, destroyed, version };
}

export function recordData(record: SecretRecord): Record<string, unknown> {
  return {
    cas_required: record.casRequired,
    created_time: record.createdTime.toISOString(),
    current_version: record.currentVersion,
    custom_metadata: record.customMetadata,
    delete_version_after: goDuration(record.deleteVersionAfterSeconds),
    max_versions: record.maxVersions,
    oldest_version: record.oldestVersion,
    updated_time: record.updatedTime.toISOString(),
    versions: Object.fromEntries(record.versions.map((version) => [String(version.version), versionTimes(version)])),
  };
}

/** Go's notation, as Vault writes durations: `3h25m19s`. Any negative one is that of "never". */
export function goDuration(seconds: number): string {
  if (seconds <= 0) return seconds === 0 ? '0s' : '-1s';
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60];
  if (hours > 0) return `${hours}h${minutes}m${rest}s`;
  return minutes > 0 ? `${minutes}m${rest}s` : `${rest}s`;
}

/** What Vault says of a path without a secret's name: its client leaves the rest away. */
export async function rootRefusal(): Promise<Reply> {
  return {
    warnings: ['Non-listing operations on the root of a K/V v2 mount are not supported.'],
    notFound: 'with-content',
  };
}

/** What Vault says of the paths of version 1. @param command of its client that would have been right */
export function invalidPath(command: 'get' | 'put' | 'patch' | 'delete'): Reply {
  return { warnings: [invalidPathWarning(command)], notFound: 'with-content' };
}

export function invalidList(): ListReply {
  return { keys: [], warnings: [invalidPathWarning('list')] };
}

function invalidPathWarning(command: string): string {
  return (
    'Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. ' +
    `If using the Vault CLI, use 'vault kv ${command}' for this operation.`
  );
}

function versionTimes({ createdTime, deletionTime, destroyed }: SecretVersion) {
  return {
    created_time: createdTime.toISOString(),
    // Not deleted is the empty text, never null: clients parse it.
    deletion_time: deletionTime?.toISOString() ?? '',
    destroyed,
  };
}
