import { KeyfleetError } from '../errors.ts';
import type { Token, TokenStore } from '../state/tokens.ts';
import { isExpired, type Session } from './authentication.ts';
import { type AuthReply, type BuiltinMount, defineBuiltinRoute } from './builtin.ts';
import { invalidRequest, missingToken } from './errors.ts';
import { makeToken, maximumTokenTtlSeconds, newToken, tokenCreateFields } from './token-create.ts';

export interface TokenBackendOptions {
  tokens: TokenStore;
  now: () => Date;
  newUuid: () => string;
}

/** `auth/token/`. */
export function createTokenBackend({ tokens, now, newUuid }: TokenBackendOptions): BuiltinMount {
  const lookupSelf = async ({ session }: { session: Session | undefined }) => {
    const { token, record } = required(session);
    return { data: tokenView(token, record, now()) };
  };

  return {
    path: 'auth/token/',
    type: 'token',
    routes: [
      defineBuiltinRoute({
        path: 'lookup-self',
        synopsis: 'Shows the calling token.',
        fields: { token: { type: 'string', description: 'Ignored: the answer is for the calling token.' } },
        read: lookupSelf,
        write: lookupSelf,
      }),

      defineBuiltinRoute({
        path: 'lookup',
        synopsis: 'Shows a token.',
        fields: { token: { type: 'string', description: 'The token to look up.' } },
        async write({ fields: { token = '' } }) {
          if (token === '') throw invalidRequest('missing token in request');
          const record = await tokens.find(token);
          if (record === undefined || isExpired(record, now()))
            throw new KeyfleetError('permission_denied', 'bad token');
          return { data: tokenView(token, record, now()) };
        },
      }),

      defineBuiltinRoute({
        path: 'create',
        synopsis: 'Makes a token.',
        fields: tokenCreateFields,
        async write({ fields, session }) {
          const record = makeToken(fields, required(session).record, newUuid(), now());
          const token = newToken();
          await tokens.put(token, record);
          return { auth: authOf(token, record, now()) };
        },
      }),

      defineBuiltinRoute({
        path: 'renew-self',
        synopsis: 'Gives the calling token more time to live.',
        fields: {
          increment: {
            type: 'duration',
            description: 'Time to live from now on; the one it was made with by default.',
          },
          token: { type: 'string', description: 'Ignored: the calling token is renewed.' },
        },
        async write({ fields, session }) {
          const { token, record } = required(session);
          if (!record.renewable || record.expireTime === undefined) throw invalidRequest('lease is not renewable');
          const asked = now().getTime() + (fields.increment || record.creationTtlSeconds) * 1000;
          const latest = record.createdTime.getTime() + maximumTokenTtlSeconds * 1000;
          // A token that was made to live longer than that loses nothing.
          const expireTime = new Date(Math.min(asked, Math.max(latest, record.expireTime.getTime())));
          const renewed = { ...record, expireTime };
          await tokens.put(token, renewed);
          return { auth: authOf(token, renewed, now()) };
        },
      }),

      defineBuiltinRoute({
        path: 'revoke-self',
        synopsis: 'Ends the calling token.',
        fields: { token: { type: 'string', description: 'Ignored: the calling token is revoked.' } },
        async write({ session }) {
          await tokens.remove(required(session).token);
          return {};
        },
      }),
    ],
  };
}

/** A token as `lookup-self` shows it. */
function tokenView(token: string, record: Token, at: Date): Record<string, unknown> {
  return {
    accessor: record.accessor,
    creation_time: Math.floor(record.createdTime.getTime() / 1000),
    creation_ttl: record.creationTtlSeconds,
    display_name: record.displayName,
    entity_id: '',
    expire_time: record.expireTime?.toISOString() ?? null,
    explicit_max_ttl: 0,
    id: token,
    issue_time: record.createdTime.toISOString(),
    meta: record.meta,
    num_uses: 0,
    orphan: record.orphan,
    path: record.path,
    policies: record.policies,
    renewable: record.renewable,
    ttl: secondsLeft(record, at),
    type: 'service',
  };
}

function authOf(token: string, record: Token, at: Date): AuthReply {
  return {
    client_token: token,
    accessor: record.accessor,
    policies: record.policies,
    token_policies: record.policies,
    identity_policies: null,
    metadata: record.meta,
    lease_duration: secondsLeft(record, at),
    renewable: record.renewable,
    entity_id: '',
    token_type: 'service',
    orphan: record.orphan,
    mfa_requirement: null,
    num_uses: 0,
  };
}

/** Zero for a token that never expires. */
function secondsLeft({ expireTime }: Token, at: Date): number {
  return expireTime === undefined ? 0 : Math.max(0, Math.floor((expireTime.getTime() - at.getTime()) / 1000));
}

function required(session: Session | undefined): Session {
  if (session === undefined) throw missingToken();
  return session;
}
