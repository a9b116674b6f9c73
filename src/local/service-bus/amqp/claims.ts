import { decodeJwt } from 'jose';
import { TokenRejected } from '../../principals.ts';
import type { Principal, VerifyToken } from '../../principals.ts';
import { normalPath } from './entities.ts';

/** The client asks for `https://servicebus.azure.net//.default`: depending on the issuer the audience ends with a slash. */
const audiences = ['https://servicebus.azure.net', 'https://servicebus.azure.net/'] as const;

export interface Claims {
  /**
   * Opens what `name` (`sb://host/path`) names, and what lies below it, to the token's principal.
   * @throws TokenRejected
   */
  put(name: string, token: string): Promise<void>;
  /** The principal whose claim covers the path and hasn't expired. */
  principalFor(path: string): Principal | undefined;
  close(): void;
}

export interface ClaimsOptions {
  verify: VerifyToken;
  now: () => Date;
  /** The claims on something have just run out; `principalFor` says on what. */
  onExpired: () => void;
}

/** The claims of one connection: each token opens only the entity that it was put for. */
export function createClaims({ verify, now, onExpired }: ClaimsOptions): Claims {
  interface Claim {
    principal: Principal;
    expiresAtMilliseconds: number;
    timer: NodeJS.Timeout | undefined;
  }
  const claims = new Map<string, Claim>();
  let closed = false;

  async function verified(token: string): Promise<Principal> {
    const [audience, audienceWithSlash] = audiences;
    try {
      return await verify(token, audience);
    } catch (error) {
      if (error instanceof TokenRejected && error.fault === 'audience') return verify(token, audienceWithSlash);
      throw error;
    }
  }

  return {
    async put(name, token) {
      const principal = await verified(token);
      if (closed) return;
      const path = normalPath(URL.parse(name)?.pathname ?? '');
      const expiresAtMilliseconds = expiry(token);
      clearTimeout(claims.get(path)?.timer);
      const timer =
        expiresAtMilliseconds === Infinity
          ? undefined
          : setTimeout(onExpired, Math.max(expiresAtMilliseconds - now().getTime(), 0) + 1);
      timer?.unref();
      claims.set(path, { principal, expiresAtMilliseconds, timer });
    },
    principalFor(path) {
      const segments = normalPath(path).split('/');
      for (let length = segments.length; length > 0; length--) {
        const claim = claims.get(segments.slice(0, length).join('/'));
        if (claim !== undefined && claim.expiresAtMilliseconds > now().getTime()) return claim.principal;
      }
      return undefined;
    },
    close() {
      closed = true;
      for (const { timer } of claims.values()) clearTimeout(timer);
      claims.clear();
    },
  };
}

/** Tokens that aren't JWTs carry no time of their own: whoever verifies them decides. */
function expiry(token: string): number {
  try {
    const { exp } = decodeJwt(token);
    return exp === undefined ? Infinity : exp * 1000;
  } catch {
    return Infinity;
  }
}
