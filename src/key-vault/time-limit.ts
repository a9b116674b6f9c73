import type { KeyClientOptions } from '@azure/keyvault-keys';

type Policy = NonNullable<KeyClientOptions['additionalPolicies']>[number];

/**
 * Breaks requests off that nobody else would: the client forgets about the signal that it was given once it asks for the
 * second page of a list.
 */
export function limitTime(milliseconds: () => number): Policy {
  return {
    position: 'perCall',
    policy: {
      name: 'keyfleetTimeLimit',
      sendRequest(request, next) {
        if (request.abortSignal === undefined) request.timeout = milliseconds();
        return next(request);
      },
    },
  };
}
