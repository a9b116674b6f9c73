import type { Copy, PlacementRecord } from '../state/key-records.ts';

/** A placement one of whose copies was changed. */
export function replaceCopy(placement: PlacementRecord, copy: Copy): PlacementRecord {
  const replaced = ({ kmsVersion, enabled }: Copy) => (kmsVersion === copy.kmsVersion ? copy : { kmsVersion, enabled });
  const { duplicates } = placement;
  return { ...placement, ...replaced(placement), ...(duplicates && { duplicates: duplicates.map(replaced) }) };
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
  return isNewest ? { ...placement, ...copy, duplicates: copies } : { ...placement, duplicates: [...duplicates, copy] };
}
