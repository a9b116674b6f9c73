import type { TokenCredential } from '@azure/identity';
import { decodeJwt } from 'jose';
import type { EntraStandIn } from '../entra/index.ts';
import type { Principal } from '../principals.ts';

/**
 * @returns a credential that speaks for `principal` without asking an endpoint: the managed identity client keeps one
 * endpoint and one cache per process, which two platforms in a process would share.
 */
export function createCredential(entra: EntraStandIn, principal: Principal): TokenCredential {
  return {
    async getToken(scopes) {
      const resource = [scopes]
        .flat()
        .join(' ')
        .replace(/\/\.default$/, '');
      const token = await entra.issueToken(principal, resource);
      return { token, expiresOnTimestamp: (decodeJwt(token).exp ?? 0) * 1000 };
    },
  };
}
