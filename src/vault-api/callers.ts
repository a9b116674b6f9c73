import { createHash } from 'node:crypto';
import { KeyfleetError } from '../errors.ts';
import type { Token } from '../state/tokens.ts';
import { policiesOfRoles } from './policies/built-in.ts';

/** Somebody whom an identity provider vouches for. */
export interface VerifiedCaller {
  /** Names the principal for as long as it exists. */
  id: string;
  kind: 'application' | 'user';
  /** Roles that the provider assigned, in its own words. */
  roles: readonly string[];
  /** What roles of ours may be bound to, by claim. */
  claims: Readonly<Record<string, readonly string[]>>;
  issuedTime: Date;
  /** From then on the token is refused. */
  expireTime: Date;
}

/** `reason` never quotes the token. */
export type CallerVerification = { ok: true; caller: VerifiedCaller } | { ok: false; reason: string };

/** @throws KeyfleetError `unavailable` if nobody can tell */
export type VerifyCaller = (token: string) => Promise<CallerVerification>;

/** How callers with a token of the identity provider are told apart, or why they can't be. */
export type CallerSignIn = { verify: VerifyCaller } | { verify?: undefined; reason: string };

/** Service tokens have one dot at most; a signed token of three parts has two, and so has one whose signature is missing. */
const providerTokenShape = /^[^.]*\.[^.]*\.[^.]*$/;

/** @returns whether a token would have to be one of the identity provider's */
export function isProviderToken(token: string): boolean {
  return providerTokenShape.test(token);
}

/**
 * @throws KeyfleetError `unavailable` if no caller can be verified: it must never look as if the token were at fault
 */
export async function verifyWith(signIn: CallerSignIn, token: string): Promise<CallerVerification> {
  if (signIn.verify === undefined) throw new KeyfleetError('unavailable', signIn.reason);
  return signIn.verify(token);
}

/** What a verified caller is for as long as its own token is good: a token that is stored nowhere. */
export function tokenOf({ id, kind, roles, issuedTime, expireTime }: VerifiedCaller): Token {
  return {
    accessor: accessorOf(id),
    displayName: `${kind}-${id.slice(id.lastIndexOf('/') + 1)}`,
    policies: policiesOfRoles(roles),
    path: 'auth/jwt',
    orphan: true,
    renewable: false,
    meta: { kind, roles: roles.join(',') },
    createdTime: issuedTime,
    creationTtlSeconds: Math.round((expireTime.getTime() - issuedTime.getTime()) / 1000),
    expireTime,
  };
}

/** The same for the same principal, and in the shape of other accessors. */
function accessorOf(id: string): string {
  const hex = createHash('sha256').update(`caller ${id}`).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}
