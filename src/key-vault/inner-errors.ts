import type { KeyClientOptions } from '@azure/keyvault-keys';

type Policy = NonNullable<KeyClientOptions['additionalPolicies']>[number];

/** Holds the code of the inner error of an answer, where there is one. */
export const innerErrorHeader = 'keyfleet-inner-error';

/** Keeps what lies in the body of a refusal: the client's errors of lists don't have it. */
export const keepInnerErrors: Policy = {
  position: 'perRetry',
  policy: {
    name: 'keyfleetInnerError',
    async sendRequest(request, next) {
      const response = await next(request);
      const code = response.status === 403 ? innerCodeOf(response.bodyAsText) : undefined;
      if (code !== undefined) response.headers.set(innerErrorHeader, code);
      return response;
    },
  },
};

function innerCodeOf(body: string | null | undefined): string | undefined {
  try {
    const { error } = JSON.parse(body ?? '') as { error?: { innererror?: { code?: unknown } } };
    const code = error?.innererror?.code;
    return typeof code === 'string' && /^\w+$/.test(code) ? code : undefined;
  } catch {
    return undefined;
  }
}
