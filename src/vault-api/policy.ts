import type { Operation } from './protocol.ts';

/**
 * Decides whether a token may do something.
 * @param policies of the token
 * @param path as routed: canonical, without `v1/`, lists with a trailing slash
 */
export function isAllowed(policies: readonly string[], _operation: Operation, _path: string): boolean {
  return policies.includes('root');
}

/** What the policies allow at a path, in the words of `sys/capabilities-self`. */
export function capabilitiesOf(policies: readonly string[], _path: string): string[] {
  return policies.includes('root') ? ['root'] : ['deny'];
}

/** @returns whether the policies allow anything at all at or below a mount. */
export function mayReach(policies: readonly string[], _mountPath: string): boolean {
  return policies.includes('root');
}
