import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Faults } from '../faults.ts';
import type { AccessTokens } from './access-tokens.ts';
import type { Directory } from './directory.ts';
import { EntraError } from './entra-error.ts';
import type { Reply } from './http-server.ts';
import { withFault } from './http-server.ts';

export const identityEndpointPath = '/msi/token';

const apiVersion = '2019-08-01';

/**
 * The App Service managed identity endpoint: `GET <path>?api-version=2019-08-01&resource=...` with at most one of
 * `client_id`, `principal_id` and `mi_res_id`; without any of them, the app's system-assigned identity.
 */
export function createIdentityEndpoint(options: {
  directory: Directory;
  accessTokens: AccessTokens;
  faults: Faults;
  authority: () => string;
  lifetimeSeconds: number;
}): (request: IncomingMessage) => Promise<Reply> {
  const { directory, accessTokens, faults, authority, lifetimeSeconds } = options;

  return async (request) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    if (url.pathname.replace(/\/$/, '') !== identityEndpointPath) return { status: 404 };
    if (request.method !== 'GET') return { status: 405 };
    const identityHeader = request.headers['x-identity-header'];
    if (typeof identityHeader !== 'string' || !directory.knowsIdentityHeader(identityHeader)) {
      return refusal(401, 'X-IDENTITY-HEADER is missing or not the one of this app.');
    }
    const query = url.searchParams;
    const identity = directory.findIdentity(identityHeader, {
      clientId: query.get('client_id') ?? undefined,
      objectId: query.get('principal_id') ?? query.get('object_id') ?? undefined,
      resourceId: query.get('mi_res_id') ?? undefined,
    });
    const name = identity?.clientId ?? query.get('client_id') ?? '';
    return withFault(
      faults.take('identity', 'token', name),
      async () => answer(query, identity),
      (status, fault) => failure(status, fault.kind),
    );
  };

  async function answer(query: URLSearchParams, identity: ReturnType<Directory['findIdentity']>): Promise<Reply> {
    if (query.get('api-version') !== apiVersion) return refusal(400, `api-version must be ${apiVersion}.`);
    const audience = query.get('resource');
    if (!audience) return refusal(400, 'The query must contain a resource.');
    if (!identity) return refusal(400, 'No managed identity of this app has the given id.');
    try {
      const resource = directory.requireResource(identity.tenantId, audience);
      const { token, expiresAt } = await accessTokens.issue({
        client: identity,
        resource,
        audience,
        proof: 'assertion',
        lifetimeSeconds,
        authority: authority(),
      });
      return {
        status: 200,
        body: {
          access_token: token,
          expires_on: String(expiresAt.getTime() / 1000),
          resource: audience,
          token_type: 'Bearer',
          client_id: identity.clientId,
        },
      };
    } catch (error) {
      if (!(error instanceof EntraError)) throw error;
      return refusal(400, `AADSTS${error.code}: ${error.message}`);
    }
  }
}

function refusal(status: number, message: string): Reply {
  return { status, body: failure(status, message) };
}

function failure(statusCode: number, message: string): object {
  return { statusCode, message, correlationId: randomUUID() };
}
