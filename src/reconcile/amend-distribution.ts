import type {
  DistributionRecord,
  DistributionReference,
  DistributionState,
  KeyState,
  PlacementRecord,
  Stored,
} from '../state/key-records.ts';
import type { KeyStore } from '../state/keys.ts';

/** What is to be written. */
export interface Amended {
  distribution: Stored<DistributionRecord>;
  placement?: PlacementRecord;
}

/** Decides on what is recorded by now. @returns undefined if there is nothing to write */
export type Amendment = (
  current: DistributionState,
  state: KeyState,
) => Amended | undefined | Promise<Amended | undefined>;

/**
 * Writes to a distribution, and decides again whenever somebody else was faster.
 * @returns false if there was nothing to write, or there is no such distribution
 */
export async function amendDistribution(
  keys: KeyStore,
  reference: DistributionReference,
  amendment: Amendment,
): Promise<boolean> {
  for (;;) {
    const state = await keys.read(reference);
    const current = state?.distributions.find(({ distribution }) => distribution.provider === reference.provider);
    const amended = state && current && (await amendment(current, state));
    if (amended === undefined) return false;
    if (await keys.putDistribution(reference, amended.distribution, amended.placement)) return true;
  }
}
