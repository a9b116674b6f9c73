import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { createKeySet } from './key-set.ts';

/** Somebody whose access token has been verified. */
export interface VerifiedCaller {
  /** Names the principal for as long as it exists: tenant and object id. */
  id: string;
  /** An application signs in as itself; a user through an application. */
  kind: 'application' | 'user';
  /** Values of the app roles that were assigned. */
  roles: readonly string[];
  /** What else the token says, by claim; the values of a claim that has one are one. */
  claims: Readonly<Record<string, readonly string[]>>;
  issuedTime: Date;
  /** From then on the token is refused. */
  expireTime: Date;
}

/** `reason` tells what is wrong with the token and never quotes it. */
export type CallerVerification = { ok: true; caller: VerifiedCaller } | { ok: false; reason: string };

/**
 * @throws KeyfleetError `unavailable` if nobody can tell
 */
export type VerifyCaller = (token: string) => Promise<CallerVerification>;

export interface CallersOptions {
  tenantId: string;
  /** Client id of the application that stands for this service: what version 2 tokens name as their audience. */
  audience: string;
  /** Entra's address, without trailing slash. */
  authorityHost: string;
  now: () => Date;
}

const maximumTokenLength = 16 * 1024;
const leewaySeconds = 60;
/** The scope that a user must have agreed to; what Azure names it unless told otherwise. */
const delegatedScope = 'user_impersonation';
/** Claims that roles may be bound to. */
const shownClaims = ['aud', 'azp', 'groups', 'idtyp', 'oid', 'roles', 'sub', 'tid'] as const;

class Refusal extends Error {}

/**
 * Verifies Entra's access tokens for this service: version 2 of one tenant, for one audience, signed with RS256 by a key
 * that Entra publishes. Nothing in a token chooses how it is verified.
 */
export function createCallerVerification(options: CallersOptions): VerifyCaller {
  const tenantId = options.tenantId.toLowerCase();
  const { audience, authorityHost, now } = options;
  const issuer = `${authorityHost}/${tenantId}/v2.0`;
  const getKey = createKeySet({ url: new URL(`${authorityHost}/${tenantId}/discovery/v2.0/keys`), now });

  async function verify(token: string): Promise<VerifiedCaller> {
    if (token.length > maximumTokenLength) throw new Refusal('token is too long');
    const claims = await verifySignature(token, getKey);
    return toCaller(claims);
  }

  async function verifySignature(token: string, key: JWTVerifyGetKey): Promise<JWTPayload> {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['RS256'],
      issuer,
      audience,
      clockTolerance: leewaySeconds,
      currentDate: now(),
      requiredClaims: ['exp', 'nbf', 'iat', 'tid', 'oid', 'ver', 'azp'],
    });
    return payload;
  }

  function toCaller(payload: JWTPayload): VerifiedCaller {
    if (payload.ver !== '2.0') throw new Refusal('only version 2 access tokens are accepted');
    // One audience, not one among several.
    if (payload.aud !== audience) throw new Refusal('unexpected "aud" claim value');
    const { tid, oid } = payload;
    if (tid !== tenantId) throw new Refusal('unexpected "tid" claim value');
    if (typeof oid !== 'string' || oid === '') throw new Refusal('unexpected "oid" claim value');
    const { exp = 0, iat = 0 } = payload;
    return {
      id: `${tenantId}/${oid}`,
      kind: kindOf(payload),
      roles: textsOf(payload.roles),
      claims: Object.fromEntries(shownClaims.map((name) => [name, textsOf(payload[name])])),
      issuedTime: new Date(iat * 1000),
      expireTime: new Date((exp + leewaySeconds) * 1000),
    };
  }

  return async (token) => {
    try {
      return { ok: true, caller: await verify(token) };
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === undefined) throw error;
      return { ok: false, reason };
    }
  };
}

/** An application's token has no scopes; a user's has those that the user agreed to. */
function kindOf({ scp, idtyp }: JWTPayload): VerifiedCaller['kind'] {
  if (scp === undefined) {
    if (idtyp !== undefined && idtyp !== 'app') throw new Refusal("a token without scopes must be an application's");
    return 'application';
  }
  if (idtyp === 'app') throw new Refusal("an application's token must not have scopes");
  if (typeof scp !== 'string' || !scp.split(' ').includes(delegatedScope)) {
    throw new Refusal(`the scope ${delegatedScope} is missing`);
  }
  return 'user';
}

function textsOf(claim: unknown): string[] {
  return [claim].flat().filter((item) => typeof item === 'string');
}

/** @returns undefined if it isn't the token that is wrong */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof Refusal) return error.message;
  if (!(error instanceof errors.JOSEError)) return undefined;
  if (error instanceof errors.JWTExpired) return 'token is expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === 'missing') return `missing required "${error.claim}" claim`;
    if (error.claim === 'nbf') return 'token is not valid yet';
    return `unexpected "${error.claim}" claim value`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return 'unsupported signing algorithm';
  if (error instanceof errors.JWKSNoMatchingKey) return 'signed with an unknown key';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature verification failed';
  return 'malformed token';
}
