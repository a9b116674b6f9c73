import { versionOneIssuer, versionTwoIssuer } from './access-tokens.ts';

/** @returns a tenant's OpenID configuration, all of its addresses at the authority that was asked. */
export function openIdConfiguration(authority: string, tenantId: string, version: 1 | 2): object {
  const base = `${authority}/${tenantId}`;
  const oauth = version === 2 ? `${base}/oauth2/v2.0` : `${base}/oauth2`;
  return {
    token_endpoint: `${oauth}/token`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt'],
    jwks_uri: version === 2 ? `${base}/discovery/v2.0/keys` : `${base}/discovery/keys`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: version === 2 ? versionTwoIssuer(authority, tenantId) : versionOneIssuer(tenantId),
    authorization_endpoint: `${oauth}/authorize`,
    end_session_endpoint: `${oauth}/logout`,
    claims_supported: ['sub', 'iss', 'aud', 'exp', 'iat', 'nbf', 'tid', 'oid', 'ver', 'uti'],
    tenant_region_scope: null,
    cloud_instance_name: new URL(authority).host,
  };
}

/** @returns the answer by which clients learn that all of the authority's names are one cloud. */
export function instanceDiscovery(authority: string, tenantId: string, aliases: readonly string[]): object {
  const host = new URL(authority).host;
  return {
    tenant_discovery_endpoint: `${authority}/${tenantId}/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [{ preferred_network: host, preferred_cache: host, aliases: [...aliases] }],
  };
}
