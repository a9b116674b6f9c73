import type { Copy, PlacementRecord } from '../state/key-records.ts';

/** Every copy of the version, the one that callers are told of first. */
export function copiesOf(placement: PlacementRecord): Copy[] {
  return [copyOf(placement), ...(placement.duplicates ?? [])];
}

/** A placement one of whose copies was given what it should have. */
export function updateCopy(placement: PlacementRecord, { kmsVersion, enabled }: Copy): PlacementRecord {
  const replaced = replaceCopy(placement, kmsVersion, () => ({ kmsVersion, enabled }));
  if (placement.kmsVersion !== kmsVersion) return replaced;
  const { deviations: _mended, ...mended } = replaced;
  return mended;
}

/** A placement of one of whose copies it isn't known, or is known again, whether it is enabled. */
export function doubtCopy(placement: PlacementRecord, kmsVersion: string, unsure: boolean): PlacementRecord {
  return replaceCopy(placement, kmsVersion, ({ enabled }) => ({ kmsVersion, enabled, unsure }));
}

/** Whether it isn't known of a copy, or of any if none is named, if it is enabled. */
export function isUnsure(placement: PlacementRecord, kmsVersion?: string): boolean {
  return copiesOf(placement).some(
    (copy) => copy.unsure === true && (kmsVersion === undefined || copy.kmsVersion === kmsVersion),
  );
}

function replaceCopy(placement: PlacementRecord, kmsVersion: string, change: (copy: Copy) => Copy): PlacementRecord {
  const replaced = (copy: Copy) => copyOf(copy.kmsVersion === kmsVersion ? change(copy) : copy);
  const { unsure: _unsure, duplicates, ...rest } = placement;
  return { ...rest, ...replaced(placement), ...(duplicates && { duplicates: duplicates.map(replaced) }) };
}

function copyOf({ kmsVersion, enabled, unsure }: Copy): Copy {
  return { kmsVersion, enabled, ...(unsure === true && { unsure }) };
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
  const { duplicates = [] } = placement;
  const copies = copiesOf(placement);
  if (copies.some((known) => known.kmsVersion === copy.kmsVersion)) return placement;
  const isNewest = (await readNewest()) === copy.kmsVersion;
  if (!isNewest) return { ...placement, duplicates: [...duplicates, copyOf(copy)] };
  // What was found out about the other one isn't true of this one.
  const {
    unsure: _unsure,
    deviations: _deviations,
    updatedTime: _updatedTime,
    readTime: _readTime,
    ...rest
  } = placement;
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
export function idsOf(placement: PlacementRecord): string[] {
  return copiesOf(placement).map(({ kmsVersion }) => kmsVersion);
}
