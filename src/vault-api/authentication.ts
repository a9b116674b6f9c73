import type { MountTable } from '../state/mounts.ts';
import type { Token, TokenStore } from '../state/tokens.ts';
import type { Access } from './access.ts';
import { type CallerSignIn, isProviderToken, tokenOf, verifyWith } from './callers.ts';
import { invalidToken, missingToken } from './errors.ts';
import type { Acl } from './policies/acl.ts';
import type { Policies } from './policies/policies.ts';
import type { VaultRequest } from './protocol.ts';
import { readToken } from './request-headers.ts';

/** A caller whose token is known and alive. */
export interface Session {
  token: string;
  record: Token;
  /** Whether the token is one of ours, which can be renewed and revoked, and not the identity provider's. */
  isStored: boolean;
  acl: Acl;
}

export interface AuthenticationOptions {
  tokens: Pick<TokenStore, 'find'>;
  policies: Policies;
  signIn: CallerSignIn;
  now: () => Date;
}

export interface Authentication {
  /**
   * Finds out who asks, before anything is routed.
   * @param readMounts the mounts as this request sees them
   * @returns undefined only where no token is needed
   * @throws KeyfleetError 403; 503 if nobody can tell
   */
  authenticate(
    headers: VaultRequest['headers'],
    access: Exclude<Access, 'open' | 'login'>,
    readMounts: () => Promise<MountTable>,
  ): Promise<Session | undefined>;
}

export function createAuthentication({ tokens, policies, signIn, now }: AuthenticationOptions): Authentication {
  async function findStored(token: string): Promise<Token> {
    const record = await tokens.find(token);
    if (record === undefined || isExpired(record, now())) throw invalidToken();
    return record;
  }

  async function verifyProviders(token: string): Promise<Token> {
    const verified = await verifyWith(signIn, token);
    if (verified.ok !== true) throw invalidToken();
    return tokenOf(verified.caller);
  }

  return {
    async authenticate(headers, access, readMounts) {
      const token = readToken(headers);
      if (token === undefined) {
        if (access === 'optional-token') return undefined;
        throw missingToken();
      }
      const isStored = !isProviderToken(token);
      const record = isStored ? await findStored(token) : await verifyProviders(token);
      const acl = await policies.aclOf(record.policies, async () => (await readMounts()).mounts);
      return { token, record, isStored, acl };
    },
  };
}

export function isExpired({ expireTime }: Token, at: Date): boolean {
  return expireTime !== undefined && expireTime.getTime() <= at.getTime();
}
