import { isExactNumber } from '../../exact-json.ts';
import { checkCustomMetadata } from '../../kv/custom-metadata.ts';
import type { MetadataFields } from '../../kv/secrets.ts';
import { mostVersions } from '../../kv/versions.ts';
import type { SecretRecord } from '../../state/secret-records.ts';
import { parseDuration } from '../duration.ts';
import { invalidRequest } from '../errors.ts';
import { convert } from '../field-conversion.ts';

/** The longest time that a Go duration can hold. */
const longestSeconds = 9_223_372_036;

/** @returns undefined if none was sent. @throws KeyfleetError `invalid_request` */
export function readCas(options: Record<string, unknown> | undefined): number | undefined {
  const cas = options?.cas;
  if (cas === undefined) return undefined;
  const converted = convert.integer(withoutExactness(cas));
  if ('problem' in converted) throw invalidRequest('error parsing check-and-set parameter');
  return converted.value;
}

/** @param missing what to say if there are none. @throws KeyfleetError `invalid_request` */
export function readVersions(given: readonly string[] | undefined, missing: string): number[] {
  if (given === undefined || given.length === 0) throw invalidRequest(missing);
  return given.map((text) => {
    const converted = convert.integer(text);
    if ('problem' in converted) throw conversionFailed('versions', 'expected version numbers');
    return converted.value;
  });
}

/** May be negative. @throws KeyfleetError `invalid_request` */
export function readSignedSeconds(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const seconds = parseDuration(given);
  if (seconds === undefined) throw conversionFailed('delete_version_after', 'expected a duration');
  return checkSeconds(seconds);
}

/** @throws KeyfleetError `invalid_request` */
export function readMaxVersions(given: number | undefined): number | undefined {
  if (given !== undefined && (given < 0 || given > mostVersions)) {
    throw conversionFailed('max_versions', `expected 0 to ${mostVersions}`);
  }
  return given;
}

interface SentMetadata {
  max_versions: number | undefined;
  cas_required: boolean | undefined;
  delete_version_after: number | undefined;
  custom_metadata: Record<string, unknown> | undefined;
}

/** Of a write, which replaces custom metadata. @throws KeyfleetError `invalid_request` */
export function readMetadataFields(sent: SentMetadata): MetadataFields {
  const { custom_metadata: custom } = sent;
  return {
    ...readSettings(sent),
    ...(custom && { customMetadata: checkCustomMetadata(new Map(Object.entries(custom).map(readEntry))) }),
  };
}

/** Of a patch, which merges custom metadata into what there is. @throws KeyfleetError `invalid_request` */
export function readMetadataPatch(sent: SentMetadata, { customMetadata }: SecretRecord): MetadataFields {
  const { custom_metadata: custom } = sent;
  if (custom === undefined) return readSettings(sent);
  const merged = new Map(Object.entries(customMetadata ?? {}));
  for (const [key, value] of Object.entries(custom)) {
    if (value === null) merged.delete(key);
    else merged.set(...readEntry([key, value]));
  }
  return { ...readSettings(sent), customMetadata: checkCustomMetadata(merged) };
}

function readSettings(sent: SentMetadata): MetadataFields {
  const maxVersions = readMaxVersions(sent.max_versions);
  const seconds = sent.delete_version_after;
  return {
    ...(maxVersions !== undefined && { maxVersions }),
    ...(sent.cas_required !== undefined && { casRequired: sent.cas_required }),
    ...(seconds !== undefined && { deleteVersionAfterSeconds: checkSeconds(seconds) }),
  };
}

/** As text, a number exactly as it was sent. */
function readEntry([key, value]: [string, unknown]): [string, string] {
  if (isExactNumber(value)) return [key, value.rawJSON];
  const converted = convert.string(value);
  if ('problem' in converted) {
    throw invalidRequest(`custom_metadata validation failed: ${converted.problem} for one of the values`);
  }
  return [key, converted.value];
}

function withoutExactness(value: unknown): unknown {
  return isExactNumber(value) ? Number(value.rawJSON) : value;
}

function checkSeconds(seconds: number): number {
  if (seconds <= longestSeconds) return seconds;
  throw conversionFailed('delete_version_after', `expected at most ${longestSeconds} seconds`);
}

function conversionFailed(field: string, problem: string): Error {
  return invalidRequest(`Field validation failed: error converting input for field "${field}": ${problem}`);
}
