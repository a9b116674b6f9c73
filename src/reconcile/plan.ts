import type { DistributionState, KeyState } from '../state/key-records.ts';

/** One thing that a vault still has to be made to do. */
export type Step =
  | { kind: 'import'; version: number; enabled: boolean }
  | { kind: 'set-enabled'; version: number; kmsVersion: string; enabled: boolean }
  /** Delete the key in the vault, then forget the distribution. */
  | { kind: 'remove' };

/**
 * Compares what should be true of a key in one vault with what the vault has confirmed.
 *
 * The order is what keeps consumers safe. Versions are imported in ascending order, disabled ones too, because whatever
 * is imported last becomes what versionless consumers get. Enabling goes before disabling, and disabling waits until
 * the newest version is confirmed and enabled, so that a live key always has a version that works.
 *
 * @returns the next step, or undefined if the vault agrees
 */
export function nextStep(
  { key, versions }: KeyState,
  { distribution, placements }: DistributionState,
): Step | undefined {
  if (distribution.removing) return { kind: 'remove' };

  const placed = new Map(placements.map((placement) => [placement.version, placement]));
  const shouldBeEnabled = (version: number) => version >= key.minEnabledVersion;

  for (const { version } of versions) {
    if (!placed.has(version)) return { kind: 'import', version, enabled: shouldBeEnabled(version) };
  }
  const copies = placements.flatMap(({ version, kmsVersion, enabled, duplicates = [] }) =>
    [{ kmsVersion, enabled }, ...duplicates].map((copy) => ({ version, ...copy })),
  );
  const wrong = copies.filter(({ version, enabled }) => enabled !== shouldBeEnabled(version));
  const next = wrong.find(({ enabled }) => !enabled) ?? wrong[0];
  if (next === undefined) return undefined;
  return { kind: 'set-enabled', version: next.version, kmsVersion: next.kmsVersion, enabled: !next.enabled };
}

/** @returns what is still to be done, in words for whoever waits for it */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case 'import':
      return `version ${step.version} is not there yet`;
    case 'set-enabled':
      return `version ${step.version} is not yet ${step.enabled ? 'enabled' : 'disabled'}`;
    case 'remove':
      return 'the key is not deleted there yet';
  }
}
