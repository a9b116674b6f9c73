import { TokenRejected, type Principal, type TokenFault, type VerifyToken } from '../principals.ts';
import { KeyVaultError } from './errors.ts';
import type { Vault } from './vault.ts';

/** Numbers of the reasons that are known; the others come without one. */
const reasonNumbers: Partial<Record<TokenFault, string>> = {
  issuer: 'AKV10032: ',
  audience: 'AKV10022: ',
  signature: 'AKV10046: ',
};

/**
 * Challenge authentication: without a token that holds, the answer is a 401 that says where to get one and for what.
 * @param authorityHost e.g. `https://login.microsoftonline.com`; the challenge names `<authorityHost>/<tenant>`
 */
export function createAuthentication(options: {
  verify: VerifyToken;
  authorityHost: string;
}): (vault: Vault, authorization: string | undefined) => Promise<Principal> {
  const unauthorized = (vault: Vault, message: string) => {
    const authorization = `${options.authorityHost}/${vault.tenantId}`;
    const challenge = `Bearer authorization="${authorization}", resource="${vault.resource}"`;
    return new KeyVaultError(401, 'Unauthorized', message, { headers: { 'WWW-Authenticate': challenge } });
  };
  return async (vault, authorization) => {
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
    if (token === undefined) throw unauthorized(vault, 'AKV10000: The request has no Bearer token.');
    if (!vault.sessions.admit(token)) throw insufficientClaims(vault, options.authorityHost);
    let principal: Principal;
    try {
      principal = await options.verify(token, vault.resource);
    } catch (error) {
      if (!(error instanceof TokenRejected)) throw error;
      throw unauthorized(vault, `${reasonNumbers[error.fault] ?? ''}The token was rejected: ${error.message}`);
    }
    if (principal.tenantId.toLowerCase() !== vault.tenantId.toLowerCase()) {
      throw unauthorized(vault, `${reasonNumbers.issuer}The token was issued by another tenant than the vault's.`);
    }
    return principal;
  };
}

/** The challenge of continuous access evaluation: it names no resource, just the claims that a new token must have. */
function insufficientClaims(vault: Vault, authorityHost: string): KeyVaultError {
  const essential = { access_token: { nbf: { essential: true, value: String(vault.sessions.revokedAtSeconds()) } } };
  const claims = Buffer.from(JSON.stringify(essential)).toString('base64');
  const authority = `authorization_uri="${authorityHost}/common/oauth2/authorize"`;
  const challenge = `Bearer realm="", ${authority}, error="insufficient_claims", claims="${claims}"`;
  return new KeyVaultError(401, 'Unauthorized', 'The token was revoked: continuous access evaluation.', {
    headers: { 'WWW-Authenticate': challenge },
  });
}
