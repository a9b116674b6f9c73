/** A key's own rotation policy, as its caller set it. Durations are ISO 8601, e.g. `P90D`; times are Unix seconds. */
export interface RotationPolicy {
  lifetimeActions: LifetimeAction[];
  /** Added to a version's time of creation makes its `exp`. */
  expiryTime?: string;
  created: number;
  updated: number;
}

export interface LifetimeAction {
  /** One of the two. */
  trigger: { timeAfterCreate?: string; timeBeforeExpiry?: string };
  action: { type: 'Rotate' | 'Notify' };
}
