/** What Key Vault allows of each kind of call, in any {@link windowMilliseconds}, in one vault. */
export interface CallLimits {
  createHsmKey: number;
  /** Imports of keys and sets of secrets together. */
  import: number;
  /** Reading, changing and deleting keys. Each of these eight takes its fraction of one budget. */
  useHsmRsa2048: number;
  useHsmRsa3072: number;
  useHsmRsa4096: number;
  useHsmEc: number;
  useSoftwareRsa2048: number;
  useSoftwareRsa3072: number;
  useSoftwareRsa4096: number;
  useSoftwareEc: number;
  /** Everything else: lists, deleted objects. */
  other: number;
}

export type CallKind = keyof CallLimits;

/** The limits as documented; that an import counts like a secret that is set was seen and is not. */
export const documentedLimits: CallLimits = {
  createHsmKey: 10,
  import: 300,
  useHsmRsa2048: 2000,
  useHsmRsa3072: 500,
  useHsmRsa4096: 250,
  useHsmEc: 2000,
  useSoftwareRsa2048: 4000,
  useSoftwareRsa3072: 1000,
  useSoftwareRsa4096: 500,
  useSoftwareEc: 4000,
  other: 4000,
};

export const windowMilliseconds = 10_000;

/** What all vaults of one subscription and region may do together, in those of one vault. */
export const groupFactor = 5;

/** Each has a budget of its own in every vault, and in every group of vaults. */
export type BudgetName = 'create' | 'import' | 'use' | 'other';

/** Calls are counted in whole fractions of a vault's budget, so that sums are exact. */
export const wholeBudget = 3_600_000_000;

export function budgetOf(kind: CallKind): BudgetName {
  if (kind === 'createHsmKey') return 'create';
  return kind === 'import' || kind === 'other' ? kind : 'use';
}

/** @returns the part of a vault's budget that one call takes */
export function costOf(kind: CallKind, limits: CallLimits): number {
  return Math.floor(wholeBudget / limits[kind]);
}

const reservedFraction = 0.03;

/**
 * What of a vault's budget is left for instances that have just begun: a call at least, where ten are allowed.
 * The rest is what the established ones share.
 */
export function reservedUnits(budget: BudgetName, limits: CallLimits): number {
  const typical = { create: 'createHsmKey', import: 'import', use: 'useHsmRsa2048', other: 'other' } as const;
  const call = costOf(typical[budget], limits);
  return call > wholeBudget / 10 ? 0 : Math.max(call, Math.floor(wholeBudget * reservedFraction));
}
