import { KeyfleetError } from '../errors.ts';
import type { TokenStore } from '../state/tokens.ts';
import { isExpired, type Session } from './authentication.ts';
import { type BuiltinMount, defineBuiltinRoute } from './builtin.ts';
import { invalidRequest, missingToken } from './errors.ts';
import { makeToken, maximumTokenTtlSeconds, newToken, tokenCreateFields } from './token-create.ts';
import { authOf, tokenView } from './token-view.ts';

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
          const record = makeToken(fields, required(session), newUuid(), now());
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
          const limit = Math.max(
            Math.min(latest, record.maximumExpireTime?.getTime() ?? latest),
            record.expireTime.getTime(),
          );
          const expireTime = new Date(Math.min(asked, limit));
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
          const { token, isStored } = required(session);
          if (!isStored)
            throw invalidRequest("only tokens that were made here can be revoked: this one is the identity provider's");
          await tokens.remove(token);
          return {};
        },
      }),
    ],
  };
}

function required(session: Session | undefined): Session {
  if (session === undefined) throw missingToken();
  return session;
}
