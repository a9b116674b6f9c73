import type { DistributionState, KeyState } from '../state/key-records.ts';

/** A change of Keyfleet's own records. */
export interface Change {
  /** What changes, by its path below the mount. */
  path: string;
  action: 'create' | 'update' | 'delete';
  /** In words; never holds a secret. */
  description: string;
}

/** What a request comes to, decided from what was read alone: whoever asked for it may yet do it, or only be told. */
export interface Decision {
  /** None if everything is as asked for. */
  changes: readonly Change[];
}

/** A decision about a key, which vaults have to follow. */
export interface KeyDecision extends Decision {
  /** The key as it is to be. */
  next: KeyState;
  /** Where the key is to be brought into agreement with that, as of the state that was read. */
  affected: readonly DistributionState[];
}
