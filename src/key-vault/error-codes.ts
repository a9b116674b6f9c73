import type { KeyClientOptions } from '@azure/keyvault-keys';

type Policy = NonNullable<KeyClientOptions['additionalPolicies']>[number];

/** Hold the codes of a vault's account of an error, the outer and the inner one, where it gave them. */
export const outerCodeHeader = 'keyfleet-error';
export const innerCodeHeader = 'keyfleet-inner-error';

/** Keeps what lies in the body of a refusal: the client's errors of lists don't have it. */
export const keepErrorCodes: Policy = {
  position: 'perRetry',
  policy: {
    name: 'keyfleetErrorCodes',
    async sendRequest(request, next) {
      const response = await next(request);
      const { headers, status, bodyAsText } = response;
      const codes = status >= 400 && status < 500 ? codesOf(bodyAsText) : {};
      for (const [name, code] of Object.entries(codes)) {
        if (typeof code === 'string' && /^\w+$/.test(code)) headers.set(name, code);
      }
      return response;
    },
  },
};

function codesOf(body: string | null | undefined): Record<string, unknown> {
  try {
    const { error } = JSON.parse(body ?? '') as { error?: { code?: unknown; innererror?: { code?: unknown } } };
    return { [outerCodeHeader]: error?.code, [innerCodeHeader]: error?.innererror?.code };
  } catch {
    return {};
  }
}
