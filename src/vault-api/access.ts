/**
 * What a path asks of the caller before it is routed:
 * - `open`: nothing, tokens aren't even looked at; answered without an envelope
 * - `login`: the same, but routed like any other: what it asks for is in its body
 * - `optional-token`: nothing, but a token that is sent must be good
 * - `any-token`: a good token; the endpoint itself decides what that token may see
 * - `policy`: a token whose policies allow the operation at the path
 * - `sudo`: the same, and the rule that allows it grants `sudo` as well: what Vault calls root-protected
 */
export type Access = 'open' | 'login' | 'optional-token' | 'any-token' | 'policy' | 'sudo';

/** Every path that isn't under policy. A name that ends in a slash stands for all below it. */
const exceptions: Readonly<Record<string, Access>> = {
  'sys/health': 'open',
  'sys/init': 'open',
  'sys/leader': 'open',
  'sys/seal-status': 'open',
  'sys/internal/ui/mounts': 'optional-token',
  'sys/internal/ui/mounts/': 'any-token',
  'sys/dead-letters': 'sudo',
  'sys/dead-letters/': 'sudo',
  'sys/remount': 'sudo',
  'auth/azure/login': 'login',
  'auth/jwt/login': 'login',
};

export function accessOf(path: string): Access {
  if (Object.hasOwn(exceptions, path)) return exceptions[path] ?? 'policy';
  const below = Object.keys(exceptions).find((name) => name.endsWith('/') && path.startsWith(name));
  return (below === undefined ? undefined : exceptions[below]) ?? 'policy';
}
