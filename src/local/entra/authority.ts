import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Directory } from './directory.ts';
import { instanceDiscovery, openIdConfiguration } from './discovery.ts';
import { EntraError, entraErrorBody } from './entra-error.ts';
import type { Reply } from './http-server.ts';
import type { SigningKeys } from './signing-keys.ts';
import type { TokenEndpointRequest } from './token-endpoint.ts';

const tenantPath = /^\/(?<tenantId>[^/]+)\/(?<rest>.+)$/;

/**
 * Routes of the authority, as on login.microsoftonline.com: token endpoints, OpenID configurations and keys of both
 * versions per tenant, and instance discovery.
 * @param options.authorities origins of the authority, the canonical one first
 */
export function createAuthority(options: {
  directory: Directory;
  signingKeys: SigningKeys;
  tokenEndpoint: (request: TokenEndpointRequest) => Promise<Reply>;
  authorities: () => readonly string[];
  now: () => Date;
}): (request: IncomingMessage, body: string) => Promise<Reply> {
  const { directory, signingKeys, tokenEndpoint, authorities, now } = options;

  return async (request, body) => {
    const origin = originOf(request);
    const url = new URL(request.url ?? '/', origin);
    const correlationId = header(request, 'client-request-id');
    const groups = tenantPath.exec(url.pathname)?.groups;
    if (!groups) return { status: 404 };
    const { tenantId, rest } = { tenantId: groups.tenantId ?? '', rest: groups.rest ?? '' };

    if (request.method === 'POST') {
      const endpointVersion = rest === 'oauth2/v2.0/token' ? 2 : rest === 'oauth2/token' ? 1 : undefined;
      if (endpointVersion === undefined) return { status: 404 };
      return tokenEndpoint({ tenantId, endpointVersion, authority: origin, body, correlationId });
    }
    if (request.method !== 'GET') return { status: 405 };
    if (rest === 'discovery/instance') return discoverInstance(url, origin, correlationId);
    const document = readable(rest, origin, tenantId);
    if (!document) return { status: 404 };
    try {
      directory.requireTenant(tenantId);
      return { status: 200, body: await document() };
    } catch (error) {
      return refusal(error, correlationId);
    }
  };

  function readable(path: string, origin: string, tenantId: string): (() => Promise<object>) | undefined {
    switch (path) {
      case '.well-known/openid-configuration':
        return async () => openIdConfiguration(origin, tenantId, 1);
      case 'v2.0/.well-known/openid-configuration':
        return async () => openIdConfiguration(origin, tenantId, 2);
      case 'discovery/keys':
      case 'discovery/v2.0/keys':
        return signingKeys.published;
      default:
        return undefined;
    }
  }

  function discoverInstance(url: URL, origin: string, correlationId: string | undefined): Reply {
    const asked = url.searchParams.get('authorization_endpoint') ?? '';
    const tenantId = URL.canParse(asked) ? new URL(asked).pathname.split('/')[1] : undefined;
    if (!tenantId || !authorities().includes(new URL(asked).origin)) {
      return refusal(new EntraError(90014, `No such instance: '${asked}'.`), correlationId);
    }
    const aliases = authorities().map((authority) => new URL(authority).host);
    return { status: 200, body: instanceDiscovery(origin, tenantId, aliases) };
  }

  function refusal(error: unknown, correlationId: string = randomUUID()): Reply {
    if (!(error instanceof EntraError)) throw error;
    return { status: error.status, body: entraErrorBody(error, now(), correlationId) };
  }

  /** A client compares addresses and issuers with the name it called, so they are answered at that name. */
  function originOf(request: IncomingMessage): string {
    const origins = authorities();
    const asked = `https://${(request.headers.host ?? '').toLowerCase()}`;
    return origins.find((origin) => origin === asked) ?? origins[0] ?? asked;
  }
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}
