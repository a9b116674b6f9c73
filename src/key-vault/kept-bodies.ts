import type { KeyClientOptions } from '@azure/keyvault-keys';

type Policies = NonNullable<KeyClientOptions['additionalPolicies']>;
type Request = Parameters<Policies[number]['policy']['sendRequest']>[0];

/**
 * The client sends its first request without a body, to be challenged. Where another request has meanwhile ended its
 * own challenge, it goes on without: an import that the vault then refuses as malformed. These policies put the body
 * back once the request is authorised.
 */
export function keepBodies(): Policies {
  const bodies = new WeakMap<object, NonNullable<Request['body']>>();
  return [
    {
      position: 'perCall',
      policy: {
        name: 'keepBody',
        sendRequest(request, next) {
          if (request.body != null) bodies.set(request, request.body);
          return next(request);
        },
      },
    },
    {
      position: 'perRetry',
      policy: {
        name: 'putBodyBack',
        sendRequest(request, next) {
          if (request.headers.has('authorization')) request.body ??= bodies.get(request) ?? null;
          return next(request);
        },
      },
    },
  ];
}
