import type { KeyClientOptions } from '@azure/keyvault-keys';

type Policy = NonNullable<KeyClientOptions['additionalPolicies']>[number];

/** Holds what a vault said about when to come back, out of the client's sight. */
export const retryAfterHeader = 'keyfleet-retry-after-ms';

const milliseconds = { 'retry-after-ms': 1, 'x-ms-retry-after-ms': 1, 'retry-after': 1000 } as const;

/**
 * Keeps the client from repeating a throttled call by itself, as it does wherever a vault says when to come back: how
 * often a vault is called is decided in one place, and not here. Other failures of reads it still repeats.
 */
export const noRepetitionOfThrottled: Policy = {
  position: 'perRetry',
  policy: {
    name: 'keyfleetRetryAfter',
    async sendRequest(request, next) {
      const response = await next(request);
      const { headers } = response;
      for (const [name, unit] of Object.entries(milliseconds)) {
        const value = headers.get(name);
        if (value === undefined) continue;
        headers.delete(name);
        const wait = /^\d+$/.test(value) ? Number(value) * unit : Date.parse(value) - Date.now();
        if (Number.isFinite(wait) && !headers.has(retryAfterHeader)) headers.set(retryAfterHeader, String(wait));
      }
      return response;
    },
  },
};
