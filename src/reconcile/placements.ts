import type { Copy, PlacementRecord } from '../state/key-records.ts';

/** A placement one of whose copies was changed. */
export function replaceCopy(placement: PlacementRecord, copy: Copy): PlacementRecord {
  const replaced = (known: Copy) => copyOf(known.kmsVersion === copy.kmsVersion ? copy : known);
  const { duplicates } = placement;
  return { ...placement, ...replaced(placement), ...(duplicates && { duplicates: duplicates.map(replaced) }) };
}

/** A placement one of whose copies was given what it should have. */
export function updateCopy(placement: PlacementRecord, { kmsVersion, enabled }: Copy): PlacementRecord {
  const replaced = replaceCopy(placement, { kmsVersion, enabled });
  if (placement.kmsVersion !== kmsVersion) return replaced;
  const { deviations: _mended, ...mended } = replaced;
  return mended;
}

function copyOf({ kmsVersion, enabled }: Copy): Copy {
  return { kmsVersion, enabled };
}

/**
 * A placement together with another copy of the same version. Nothing is forgotten, because what isn't known can't be
 * disabled; the newest one is the one that callers are told of.
 * @param readNewest Key Vault's id of the newest version of the whole key
 */
export async function addCopy(
  placement: PlacementRecord,
  copy: Copy,
  readNewest: () => Promise<string | undefined>,
): Promise<PlacementRecord> {
  const { duplicates = [], kmsVersion, enabled } = placement;
  const copies = [{ kmsVersion, enabled }, ...duplicates];
  if (copies.some((known) => known.kmsVersion === copy.kmsVersion)) return placement;
  const isNewest = (await readNewest()) === copy.kmsVersion;
  if (!isNewest) return { ...placement, duplicates: [...duplicates, copyOf(copy)] };
  // What was found out about the other one isn't true of this one.
  const { deviations: _deviations, updatedTime: _updatedTime, readTime: _readTime, ...rest } = placement;
  return { ...rest, ...copy, duplicates: copies };
}

/** A placement one of whose copies turned out not to be there, if it is one of its copies. */
export function forgetCopy(placement: PlacementRecord, kmsVersion: string, readTime: Date): PlacementRecord {
  if (placement.kmsVersion === kmsVersion) return { ...placement, readTime, deviations: ['missing'] };
  const { duplicates, ...rest } = placement;
  if (duplicates?.some((copy) => copy.kmsVersion === kmsVersion) !== true) return placement;
  const left = duplicates.filter((copy) => copy.kmsVersion !== kmsVersion);
  return { ...rest, ...(left.length > 0 && { duplicates: left }) };
}

/** Key Vault's ids of the version, copies included. */
export function idsOf({ kmsVersion, duplicates = [] }: PlacementRecord): string[] {
  return [kmsVersion, ...duplicates.map((copy) => copy.kmsVersion)];
}
