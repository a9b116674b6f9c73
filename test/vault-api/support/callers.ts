import { KeyfleetError } from '../../../src/errors.ts';
import type { VerifiedCaller, VerifyCaller } from '../../../src/vault-api/callers.ts';
import { start } from './harness.ts';

export const audience = 'api://keyfleet';

/** A token in the shape of a signed one, by which {@link fakeVerification} finds the caller. */
export const tokenNamed = (name: string) => `eyJh.${name}.c2ln`;

export function callerOf(overrides: Partial<VerifiedCaller> = {}): VerifiedCaller {
  return {
    id: 'tenant/object-1',
    kind: 'application',
    roles: [],
    claims: { aud: [audience], azp: ['client-1'], oid: ['object-1'], sub: ['object-1'], roles: [], groups: [] },
    issuedTime: start,
    expireTime: new Date(start.getTime() + 3_600_000),
    ...overrides,
  };
}

/** Knows callers by the names of their tokens. `outage` can't be told; everything else is malformed. */
export function fakeVerification(callers: Record<string, VerifiedCaller>): VerifyCaller {
  return async (token) => {
    const name = token.split('.')[1] ?? '';
    if (name === 'outage') throw new KeyfleetError('unavailable', 'the keys cannot be read');
    const caller = callers[name];
    return caller === undefined ? { ok: false, reason: 'malformed token' } : { ok: true, caller };
  };
}
