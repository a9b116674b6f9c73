import { SecretClient, type SecretClientOptions } from '@azure/keyvault-secrets';
import { createCredential, type PrincipalName } from './start.ts';

type Policy = NonNullable<SecretClientOptions['additionalPolicies']>[number]['policy'];

/** One request as it went out, challenges and what followed them included. */
export interface SentRequest {
  method: string;
  /** With the name of the api-version's parameter as it is meant, not as it is encoded. */
  target: string;
  /** Parsed; undefined if there was none. */
  body: unknown;
  status: number;
}

/** A client of the real SDK that shows what it sends. Retries are off unless asked for. */
export function secretClient(url: string, token: PrincipalName = 'admin', options: SecretClientOptions = {}) {
  const sent: SentRequest[] = [];
  const policy: Policy = {
    name: 'what was sent',
    async sendRequest(request, next) {
      const { method, body } = request;
      const target = request.url.slice(url.length).replace('api%2Dversion', 'api-version');
      const answer = await next(request);
      sent.push({
        method,
        target,
        body: body ? (JSON.parse(body as string) as unknown) : undefined,
        status: answer.status,
      });
      return answer;
    },
  };
  const client = new SecretClient(url, createCredential(token), {
    retryOptions: { maxRetries: 0 },
    additionalPolicies: [{ policy, position: 'perRetry' }],
    ...options,
  });
  return { client, sent };
}
