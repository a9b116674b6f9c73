import type { KeyStatus, ProviderStatus } from '../../keymgmt/status.ts';
import type { InspectionRecord } from '../../state/inspections.ts';

/** What isn't seen where keys can't be listed. */
const unlistedNote =
  'the principal lacks the key permission "list": keys that are not distributed to this provider, and versions below ' +
  'the newest that Keyfleet did not make, are not seen';

/** A provider's status as it is answered. */
export function statusData({ drift, inspection, keys, next }: ProviderStatus): Record<string, unknown> {
  return {
    drift,
    ...inspectionData(inspection),
    keys: Object.fromEntries(keys.map((key) => [key.key, keyData(key)])),
    ...(next !== undefined && { next }),
  };
}

function inspectionData(inspection: InspectionRecord | undefined): Record<string, unknown> {
  if (inspection === undefined) return { list_permitted: null, light_pass: null, thorough_pass: null, extra: [] };
  const { mayList, lightTime, thoroughTime, failure, failureTime, extras, extraCount } = inspection;
  return {
    list_permitted: mayList,
    ...(!mayList && { not_seen: unlistedNote }),
    light_pass: lightTime?.toISOString() ?? null,
    thorough_pass: thoroughTime?.toISOString() ?? null,
    ...(failure !== undefined && { failure, failure_time: failureTime?.toISOString() }),
    extra: extras,
    ...(extraCount > extras.length && { extra_count: extraCount }),
  };
}

function keyData({ kmsName, versions, notes }: KeyStatus): Record<string, unknown> {
  return {
    name: kmsName,
    versions: Object.fromEntries(
      versions.map(({ version, state, readTime, reason }) => [
        String(version),
        { state, last_read: readTime?.toISOString() ?? null, ...(reason !== undefined && { reason }) },
      ]),
    ),
    ...(notes.length > 0 && { notes }),
  };
}
