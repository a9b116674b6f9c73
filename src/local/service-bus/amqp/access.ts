import type { Claims } from './claims.ts';
import { unauthorized } from './conditions.ts';
import type { AmqpRefusal } from './conditions.ts';
import type { Entity } from './entities.ts';
import type { Authorize, Right } from './rights.ts';

export interface Access {
  /** Why the connection may not touch the path at all: no claim covers it, or none any longer. */
  claimRefusal(path: string): AmqpRefusal | undefined;
  /** Why the connection may not do to the entity what needs `right`. */
  refusal(entity: Entity, path: string, right: Right): AmqpRefusal | undefined;
}

const claimNames: Record<Right, string> = { listen: 'Listen', send: 'Send', manage: 'Manage' };

/** What a connection may do: only what a token was put for, and only what that token's principal is permitted. */
export function createAccess(claims: Claims, authorize: Authorize): Access {
  const claimRefusal = (path: string) =>
    claims.principalFor(path) === undefined
      ? unauthorized(`Unauthorized access. There is no valid token for '${path}'.`)
      : undefined;
  return {
    claimRefusal,
    refusal(entity, path, right) {
      const principal = claims.principalFor(path);
      if (principal === undefined) return claimRefusal(path);
      if (authorize(principal, entity.securedPath, right)) return undefined;
      return unauthorized(
        `Unauthorized access. '${claimNames[right]}' claim(s) are required to perform this operation. Resource: '${path}'.`,
      );
    },
  };
}
