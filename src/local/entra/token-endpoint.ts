import { randomUUID } from 'node:crypto';
import type { Faults } from '../faults.ts';
import type { AccessToken, AccessTokens } from './access-tokens.ts';
import { authenticateClient } from './client-authentication.ts';
import type { Directory } from './directory.ts';
import { EntraError, entraErrorBody, entraFailureBody } from './entra-error.ts';
import type { CheckAssertion } from './federated-assertion.ts';
import type { Reply } from './http-server.ts';
import { withFault } from './http-server.ts';

export interface TokenEndpointRequest {
  tenantId: string;
  /** Which of `/oauth2/v2.0/token` (takes a scope) and `/oauth2/token` (takes a resource) was called. */
  endpointVersion: 1 | 2;
  authority: string;
  body: string;
  correlationId: string | undefined;
}

/** The client credentials grant of Entra's token endpoint. Every refusal is answered as Entra would, none is thrown. */
export function createTokenEndpoint(options: {
  directory: Directory;
  accessTokens: AccessTokens;
  checkAssertion: CheckAssertion;
  faults: Faults;
  lifetimeSeconds: number;
  now: () => Date;
}): (request: TokenEndpointRequest) => Promise<Reply> {
  const { directory, accessTokens, checkAssertion, faults, lifetimeSeconds, now } = options;

  return async (request) => {
    const form = new URLSearchParams(request.body);
    const correlationId = request.correlationId ?? randomUUID();
    const fault = faults.take('entra', 'token', form.get('client_id') ?? '');
    return withFault(
      fault,
      () => answer(request, form, correlationId),
      (status) => entraFailureBody(status, status === 429 ? 50196 : 90033, now(), correlationId),
    );
  };

  async function answer(request: TokenEndpointRequest, form: URLSearchParams, correlationId: string): Promise<Reply> {
    try {
      return { status: 200, body: await grant(request, form) };
    } catch (error) {
      if (!(error instanceof EntraError)) throw error;
      return { status: error.status, body: entraErrorBody(error, now(), correlationId) };
    }
  }

  async function grant(request: TokenEndpointRequest, form: URLSearchParams): Promise<object> {
    const { tenantId, endpointVersion, authority } = request;
    directory.requireTenant(tenantId);
    const grantType = required(form, 'grant_type');
    if (grantType !== 'client_credentials') {
      throw new EntraError(70003, `The app requested an unsupported grant type '${grantType}'.`);
    }
    const application = directory.requireApplication(tenantId, required(form, 'client_id'));
    const audience =
      endpointVersion === 2 ? audienceOfScope(required(form, 'scope')) : required(form, 'resource').trim();
    const proof = await authenticateClient({ application, form, checkAssertion, now: now() });
    const resource = directory.requireResource(tenantId, audience);
    const token = await accessTokens.issue({
      client: application,
      resource,
      audience,
      proof,
      lifetimeSeconds,
      authority,
    });
    return endpointVersion === 2 ? versionTwoReply(token) : versionOneReply(token, audience, now());
  }
}

function required(form: URLSearchParams, parameter: string): string {
  const value = form.get(parameter);
  if (!value) throw new EntraError(900144, `The request body must contain the following parameter: '${parameter}'.`);
  return value;
}

/** @returns the resource that a client credentials scope names; MSAL adds `openid` and the like to none of these. */
function audienceOfScope(scope: string): string {
  const scopes = scope.trim().split(/\s+/);
  const [only] = scopes;
  if (only === undefined || scopes.length > 1) {
    throw new EntraError(70011, `The provided value for the input parameter 'scope' is not valid: ${scope}`);
  }
  if (!only.endsWith('/.default') || only === '/.default') {
    throw new EntraError(
      1002012,
      `The provided value for scope ${only} is not valid. Client credential flows need the resource with /.default.`,
    );
  }
  return only.slice(0, -'/.default'.length);
}

function versionTwoReply({ token, expiresInSeconds }: AccessToken): object {
  return {
    token_type: 'Bearer',
    expires_in: expiresInSeconds,
    ext_expires_in: expiresInSeconds,
    access_token: token,
  };
}

function versionOneReply({ token, expiresAt, expiresInSeconds }: AccessToken, resource: string, now: Date): object {
  return {
    token_type: 'Bearer',
    expires_in: String(expiresInSeconds),
    ext_expires_in: String(expiresInSeconds),
    expires_on: String(expiresAt.getTime() / 1000),
    not_before: String(Math.floor(now.getTime() / 1000) - 300),
    resource,
    access_token: token,
  };
}
