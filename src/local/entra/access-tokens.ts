import { randomUUID } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { decodeJwt, errors, jwtVerify, SignJWT } from 'jose';
import type { Principal, TokenFault, VerifyToken } from '../principals.ts';
import { TokenRejected } from '../principals.ts';
import type { Directory } from './directory.ts';
import { withoutFinalSlash } from './directory.ts';
import type { SigningKeys } from './signing-keys.ts';
import type { Resource } from './types.ts';

/** How a client proved who it is: the claim `appidacr` (version 1) or `azpacr` (version 2). */
export type ClientProof = 'secret' | 'assertion';

export interface TokenRequest {
  client: Principal;
  resource: Resource;
  /** As the caller named the resource; version 1 tokens repeat it. */
  audience: string;
  proof: ClientProof;
  lifetimeSeconds: number;
  /** Origin of the authority that was asked. */
  authority: string;
  /** Added to or replacing the token's own; undefined takes a claim out. */
  claims?: Readonly<Record<string, unknown>>;
}

export interface AccessToken {
  token: string;
  expiresAt: Date;
  expiresInSeconds: number;
}

export interface AccessTokens {
  issue(request: TokenRequest): Promise<AccessToken>;
  verify: VerifyToken;
}

/** Tokens are valid from a little before they are issued, for resources whose clock is behind. */
const backdatedSeconds = 300;

/**
 * Access tokens as Entra makes them: version 1 says `iss` https://sts.windows.net/<tenant>/ with `appid`, version 2
 * says `<authority>/<tenant>/v2.0` with `azp`; both carry `oid`, `sub`, `tid`, `idtyp` and granted `roles`.
 */
export function createAccessTokens(options: {
  signingKeys: SigningKeys;
  directory: Directory;
  authorities: () => readonly string[];
  now: () => Date;
}): AccessTokens {
  const { signingKeys, directory, authorities, now } = options;

  return {
    async issue(request) {
      const { client, resource, lifetimeSeconds } = request;
      const key = await signingKeys.current();
      const issuedAt = Math.floor(now().getTime() / 1000);
      const roles = directory.appRoles(client.clientId, resource.audience);
      const payload = {
        ...(resource.tokenVersion === 1 ? versionOne(request) : versionTwo(request)),
        iat: issuedAt - backdatedSeconds,
        nbf: issuedAt - backdatedSeconds,
        exp: issuedAt + lifetimeSeconds,
        idtyp: 'app',
        oid: client.objectId,
        sub: client.objectId,
        tid: client.tenantId,
        uti: randomUUID().replaceAll('-', '').slice(0, 22),
        ...(roles.length > 0 ? { roles: [...roles] } : {}),
        ...request.claims,
      };
      const token = await new SignJWT(payload)
        .setProtectedHeader({ typ: 'JWT', alg: 'RS256', kid: key.keyId, x5t: key.keyId })
        .sign(key.privateKey);
      return { token, expiresAt: new Date((issuedAt + lifetimeSeconds) * 1000), expiresInSeconds: lifetimeSeconds };
    },

    async verify(token, audience) {
      const claims = await readVerified(token, audience);
      const { tid, oid } = claims;
      const clientId = claims.ver === '2.0' ? claims.azp : claims.appid;
      if (typeof tid !== 'string' || typeof oid !== 'string' || typeof clientId !== 'string') {
        throw new TokenRejected('malformed', 'the token names no application');
      }
      return { tenantId: tid, objectId: oid, clientId };
    },
  };

  async function readVerified(token: string, audience: string): Promise<JWTPayload> {
    try {
      const tenantId = String(decodeJwt(token).tid);
      if (!directory.hasTenant(tenantId)) throw new TokenRejected('issuer', 'the token is of another tenant');
      const { payload } = await jwtVerify(
        token,
        async (header) => {
          const key = await signingKeys.find(header.kid);
          if (!key) throw new errors.JWKSNoMatchingKey();
          return key.publicKey;
        },
        {
          algorithms: ['RS256'],
          issuer: [versionOneIssuer(tenantId), ...authorities().map((origin) => versionTwoIssuer(origin, tenantId))],
          audience: [withoutFinalSlash(audience), `${withoutFinalSlash(audience)}/`],
          currentDate: now(),
          requiredClaims: ['exp', 'nbf'],
        },
      );
      return payload;
    } catch (error) {
      if (error instanceof TokenRejected) throw error;
      throw new TokenRejected(faultOf(error), error instanceof Error ? error.message : String(error));
    }
  }
}

/** @returns the exact `iss` of a version 1 token. It names Azure's own service in every cloud. */
export function versionOneIssuer(tenantId: string): string {
  return `https://sts.windows.net/${tenantId}/`;
}

/** @returns the exact `iss` of a version 2 token of the authority at `origin`. */
export function versionTwoIssuer(origin: string, tenantId: string): string {
  return `${origin}/${tenantId}/v2.0`;
}

function versionOne({ client, audience, proof }: TokenRequest): JWTPayload {
  const iss = versionOneIssuer(client.tenantId);
  return { aud: audience, iss, idp: iss, appid: client.clientId, appidacr: proof === 'secret' ? '1' : '2', ver: '1.0' };
}

function versionTwo({ client, resource, proof, authority }: TokenRequest): JWTPayload {
  const iss = versionTwoIssuer(authority, client.tenantId);
  return { aud: resource.audience, iss, azp: client.clientId, azpacr: proof === 'secret' ? '1' : '2', ver: '2.0' };
}

function faultOf(error: unknown): TokenFault {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSNoMatchingKey) {
    return 'signature';
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'iss') return 'issuer';
    if (error.claim === 'aud') return 'audience';
    if (error.claim === 'nbf' && error.reason === 'check_failed') return 'not-yet-valid';
  }
  return 'malformed';
}
