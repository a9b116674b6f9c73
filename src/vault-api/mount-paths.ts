/**
 * @param path canonical, without trailing slash
 * @returns the mount with the longest path that the given one is at or below
 */
export function longestMount<Mount extends { path: string }>(
  mounts: readonly Mount[],
  path: string,
): Mount | undefined {
  let longest: Mount | undefined;
  for (const mount of mounts) {
    if (`${path}/`.startsWith(mount.path) && mount.path.length > (longest?.path.length ?? 0)) longest = mount;
  }
  return longest;
}

/** @returns the mount whose path is above, below or the same as the given one, which ends in a slash. */
export function conflictingMount<Mount extends { path: string }>(
  mounts: readonly Mount[],
  path: string,
): Mount | undefined {
  return mounts.find((mount) => mount.path.startsWith(path) || path.startsWith(mount.path));
}
