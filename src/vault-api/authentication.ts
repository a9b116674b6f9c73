import type { Token, TokenStore } from '../state/tokens.ts';
import type { Access } from './access.ts';
import { invalidToken, missingToken } from './errors.ts';
import type { VaultRequest } from './protocol.ts';
import { readToken } from './request-headers.ts';

/** A caller whose token is known and alive. */
export interface Session {
  token: string;
  record: Token;
}

/**
 * Finds out who asks, before anything is routed.
 * @returns undefined only where no token is needed
 * @throws KeyfleetError 403
 */
export async function authenticate(
  { tokens, now }: { tokens: TokenStore; now: () => Date },
  headers: VaultRequest['headers'],
  access: Exclude<Access, 'open'>,
): Promise<Session | undefined> {
  const token = readToken(headers);
  if (token === undefined) {
    if (access === 'optional-token') return undefined;
    throw missingToken();
  }
  const record = await tokens.find(token);
  if (record === undefined || isExpired(record, now())) throw invalidToken();
  return { token, record };
}

export function isExpired({ expireTime }: Token, at: Date): boolean {
  return expireTime !== undefined && expireTime.getTime() <= at.getTime();
}
