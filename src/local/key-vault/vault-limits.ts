/** Calls per vault in any ten seconds. */
export interface VaultLimits {
  createHsmKey: number;
  createSoftwareKey: number;
  /** Of these eight each takes its fraction of one budget: half of one leaves half of every other. */
  useHsmRsa2048: number;
  useHsmRsa3072: number;
  useHsmRsa4096: number;
  useHsmEc: number;
  useSoftwareRsa2048: number;
  useSoftwareRsa3072: number;
  useSoftwareRsa4096: number;
  useSoftwareEc: number;
  /** Imports of keys and sets of secrets together. */
  import: number;
  /** Everything else: reading secrets, lists, deleted objects. */
  other: number;
}

export interface ThrottleOptions {
  /** Sent with every 429; absent: none, as the service was seen to do. */
  retryAfterSeconds?: number;
  /** The service's own unless given. */
  limits?: Partial<VaultLimits>;
}

export const serviceLimits: VaultLimits = {
  createHsmKey: 10,
  createSoftwareKey: 20,
  useHsmRsa2048: 2000,
  useHsmRsa3072: 500,
  useHsmRsa4096: 250,
  useHsmEc: 2000,
  useSoftwareRsa2048: 4000,
  useSoftwareRsa3072: 1000,
  useSoftwareRsa4096: 500,
  useSoftwareEc: 4000,
  import: 300,
  other: 4000,
};
