/** Work that may be held at once on behalf of one vault, so that the others find room besides it. */

/** All the work that one instance takes on at once, which is what the host's message sessions allow. */
const instancePlaces = 16;
const mostPlaces = 12;
const fewestPlaces = 4;

/**
 * @param vaults that there is work for lately
 * @returns how many calls of the background lane may wait or be in flight for each
 */
export function placesPerVault(vaults: number): number {
  if (vaults <= 1) return Infinity;
  return Math.min(mostPlaces, Math.max(fewestPlaces, Math.floor((2 * instancePlaces) / vaults)));
}
