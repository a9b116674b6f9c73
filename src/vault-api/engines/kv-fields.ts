import { checkCustomMetadata } from '../../kv/custom-metadata.ts';
import type { MetadataFields } from '../../kv/secrets.ts';
import type { SecretRecord, SecretVersion } from '../../state/secret-records.ts';
import { parseDuration } from '../duration.ts';
import { invalidRequest } from '../errors.ts';
import { isExactNumber } from '../../exact-json.ts';

/** @throws KeyfleetError `invalid_request` */
export function readCas(options: Record<string, unknown> | undefined): number | undefined {
  const cas = options?.cas;
  if (cas === undefined || cas === null) return undefined;
  const number =
    typeof cas === 'string' && /^\s*\d+\s*$/.test(cas) ? Number(cas) : isExactNumber(cas) ? Number(cas.rawJSON) : cas;
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) {
    throw invalidRequest('error parsing check-and-set parameter');
  }
  return number;
}

/** @throws KeyfleetError `invalid_request` */
export function readVersions(given: readonly string[] | undefined, missing: string): number[] {
  if (given === undefined || given.length === 0) throw invalidRequest(missing);
  return given.map((text) => {
    if (!/^\d+$/.test(text)) throw invalidRequest('Field validation failed: versions takes version numbers');
    return Number(text);
  });
}

/** Seconds; negative for "never". @throws KeyfleetError `invalid_request` */
export function readDeleteVersionAfter(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const seconds = parseDuration(given);
  if (seconds === undefined) {
    throw invalidRequest(
      'Field validation failed: error converting input for field "delete_version_after": expected a duration',
    );
  }
  return seconds < 0 ? -1 : seconds;
}

/** @throws KeyfleetError `invalid_request` */
export function readMaxVersions(given: number | undefined): number | undefined {
  if (given !== undefined && (given < 0 || given > 4_294_967_295)) {
    throw invalidRequest('Field validation failed: max_versions must be from 0 to 4294967295');
  }
  return given;
}

interface SentMetadata {
  max_versions: number | undefined;
  cas_required: boolean | undefined;
  delete_version_after: string | undefined;
  custom_metadata: Record<string, unknown> | undefined;
}

/** A write replaces custom metadata, a patch merges into what `current` holds. @throws KeyfleetError `invalid_request` */
export function readMetadataFields(sent: SentMetadata, current?: SecretRecord): MetadataFields {
  const maxVersions = readMaxVersions(sent.max_versions);
  const deleteVersionAfterSeconds = readDeleteVersionAfter(sent.delete_version_after);
  return {
    ...(maxVersions !== undefined && { maxVersions }),
    ...(sent.cas_required !== undefined && { casRequired: sent.cas_required }),
    ...(deleteVersionAfterSeconds !== undefined && { deleteVersionAfterSeconds }),
    ...(sent.custom_metadata !== undefined && {
      customMetadata: checkCustomMetadata(mergeCustomMetadata(current?.customMetadata ?? {}, sent.custom_metadata)),
    }),
  };
}

function mergeCustomMetadata(
  current: Readonly<Record<string, string>>,
  sent: Record<string, unknown>,
): Record<string, unknown> {
  const merged = new Map<string, unknown>(Object.entries(current));
  for (const [key, value] of Object.entries(sent)) {
    if (value === null) merged.delete(key);
    else merged.set(key, isExactNumber(value) ? value.rawJSON : value);
  }
  return Object.fromEntries(merged);
}

/** Go's notation, as Vault writes durations: `3h25m19s`. */
export function goDuration(seconds: number): string {
  if (seconds <= 0) return seconds === 0 ? '0s' : '-1s';
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60];
  if (hours > 0) return `${hours}h${minutes}m${rest}s`;
  return minutes > 0 ? `${minutes}m${rest}s` : `${rest}s`;
}

/** The five fields that stand for a version everywhere. */
export function versionData(
  { version, ...rest }: SecretVersion,
  customMetadata: Readonly<Record<string, string>> | null,
): Record<string, unknown> {
  const { created_time, deletion_time, destroyed } = versionTimes({ version, ...rest });
  return { created_time, custom_metadata: customMetadata, deletion_time, destroyed, version };
}

export function versionTimes({ createdTime, deletionTime, destroyed }: SecretVersion) {
  return {
    created_time: createdTime.toISOString(),
    // Not deleted is the empty text, never null: clients parse it.
    deletion_time: deletionTime?.toISOString() ?? '',
    destroyed,
  };
}
