import { jsonResponse, type VaultResponse } from './protocol.ts';

export interface RateLimitOptions {
  /** How many requests each caller may make, on average. */
  requestsPerSecond: number;
  now: () => Date;
}

export interface RateLimit {
  /**
   * Counts a request.
   * @param caller accessor of its token
   * @returns 0 if it may go on, else the whole seconds to wait
   */
  take(caller: string): number;
}

/** A caller that was quiet may make as many requests at once as in this time. */
const burstSeconds = 2;
const maximumCallers = 10_000;

/**
 * One token bucket for each caller, in this instance's memory. Beyond the maximum the caller that was idle longest is
 * forgotten, which can only be to its advantage.
 */
export function createRateLimit({ requestsPerSecond, now }: RateLimitOptions): RateLimit {
  const capacity = Math.max(1, requestsPerSecond * burstSeconds);
  const buckets = new Map<string, { left: number; at: number }>();

  return {
    take(caller) {
      const at = now().getTime();
      const bucket = buckets.get(caller) ?? { left: capacity, at };
      const refilled = (Math.max(0, at - bucket.at) / 1000) * requestsPerSecond;
      const left = Math.min(capacity, bucket.left + refilled);
      const allowed = left >= 1;
      // Put back at the end: the order of a map is that of its insertions.
      buckets.delete(caller);
      buckets.set(caller, { left: allowed ? left - 1 : left, at });
      const [idle] = buckets.keys();
      if (buckets.size > maximumCallers && idle !== undefined) buckets.delete(idle);
      return allowed ? 0 : Math.ceil((1 - left) / requestsPerSecond);
    },
  };
}

/** Vault's answer to more requests than were agreed on. Its clients wait and try again. */
export function renderRateLimited(path: string, retryAfterSeconds: number): VaultResponse {
  const response = jsonResponse(429, { errors: [`request path "${path}": rate limit quota exceeded`] });
  return { ...response, headers: { ...response.headers, 'Retry-After': String(retryAfterSeconds) } };
}
