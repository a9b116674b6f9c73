import type { Deviation, DistributionState, KeyState, PlacementRecord } from '../state/key-records.ts';
import { copiesOf, isUnsure } from './placements.ts';

/** One thing that a vault still has to be made to do. */
export type Step =
  | { kind: 'import'; version: number; enabled: boolean }
  | { kind: 'set-enabled'; version: number; kmsVersion: string; enabled: boolean }
  /** Give a version the operations and tags that it should have, and leave it enabled or disabled as it is. */
  | { kind: 'mend'; version: number; kmsVersion: string; enabled: boolean }
  /** Bring back a key that is gone with all its versions. */
  | { kind: 'restore' }
  /** Delete the key in the vault, then forget the distribution. */
  | { kind: 'remove' };

/**
 * Compares what should be true of a key in one vault with what the vault has confirmed or was seen to hold.
 *
 * The order is what keeps consumers safe. Versions are imported in ascending order, disabled ones too, because whatever
 * is imported last becomes what versionless consumers get; so an old one that is missing below a newer one is never put
 * on top. Enabling goes before mending and mending before disabling, and disabling waits until the newest version is
 * there, enabled and of use, so that a live key always has a version that works. A version of which it isn't known
 * whether it is enabled is enabled or disabled once more, in the same order.
 *
 * Where what somebody did in the vault is to be left alone, no step undoes it.
 *
 * @returns the next step, or undefined if the vault agrees, or as far as it may be made to
 */
export function nextStep(
  { key, versions }: KeyState,
  { distribution, placements }: DistributionState,
): Step | undefined {
  if (distribution.removing) return { kind: 'remove' };

  const leavesDrift = distribution.drift === 'report' || distribution.drift === 'ignore';
  const present = placements.filter((placement) => !has(placement, 'missing'));
  if (placements.length > 0 && present.length === 0) return leavesDrift ? undefined : { kind: 'restore' };

  const shouldBeEnabled = (version: number) => version >= key.minEnabledVersion;
  const placed = new Map(placements.map((placement) => [placement.version, placement]));
  const newestPresent = present.at(-1)?.version ?? 0;
  for (const { version } of versions) {
    const placement = placed.get(version);
    const isLost = placement !== undefined && has(placement, 'missing') && version > newestPresent;
    if (placement === undefined || (isLost && !leavesDrift)) {
      return { kind: 'import', version, enabled: shouldBeEnabled(version) };
    }
  }

  const ours = present.filter((placement) => !has(placement, 'material'));
  const wrong = ours
    .filter((placement) => !(leavesDrift && has(placement, 'enabled')))
    .flatMap((placement) => copiesOf(placement).map((copy) => ({ version: placement.version, ...copy })))
    .filter(({ version, enabled, unsure }) => enabled !== shouldBeEnabled(version) || unsure === true);
  const toEnable = wrong.find(({ version }) => shouldBeEnabled(version));
  if (toEnable !== undefined) return setEnabled(toEnable, true);
  // Mending one that is unsure might disable it: that is left to the step that minds what is left.
  const toMend = leavesDrift
    ? undefined
    : ours.find((placement) => has(placement, 'operations', 'tags') && !isUnsure(placement, placement.kmsVersion));
  if (toMend !== undefined) {
    const { version, kmsVersion, enabled } = toMend;
    return { kind: 'mend', version, kmsVersion, enabled };
  }
  const toDisable = wrong.find(({ version }) => !shouldBeEnabled(version));
  const newest = placed.get(key.latestVersion);
  if (toDisable === undefined || newest === undefined || !isOfUse(newest)) return undefined;
  return setEnabled(toDisable, false);
}

function setEnabled({ version, kmsVersion }: { version: number; kmsVersion: string }, enabled: boolean): Step {
  return { kind: 'set-enabled', version, kmsVersion, enabled };
}

/** Whether consumers could do with this version what they could with any other. */
function isOfUse(placement: PlacementRecord): boolean {
  const isEnabled = placement.enabled && !isUnsure(placement, placement.kmsVersion);
  return isEnabled && !has(placement, 'missing', 'material', 'operations');
}

export function has({ deviations }: PlacementRecord, ...any: Deviation[]): boolean {
  return deviations?.some((deviation) => any.includes(deviation)) ?? false;
}

/** @returns what is still to be done, in words for whoever waits for it */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case 'import':
      return `version ${step.version} is not there yet`;
    case 'set-enabled':
      return `version ${step.version} is not yet ${step.enabled ? 'enabled' : 'disabled'}`;
    case 'mend':
      return `version ${step.version} does not yet have the operations and tags that it should have`;
    case 'restore':
      return 'the key is gone there and not restored yet';
    case 'remove':
      return 'the key is not deleted there yet';
  }
}
