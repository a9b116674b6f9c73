import type { AclOperation } from '../../../src/vault-api/policies/acl.ts';
import type { Capability, Rule } from '../../../src/vault-api/policies/policy-text.ts';

/**
 * Vault's rules about paths, once more and as plainly as can be: every rule is tried, and of those that match each is
 * compared with each. Slow, and written without a look at the other.
 */
export function referenceAllows(rules: readonly Rule[], operation: AclOperation, path: string): boolean {
  return referenceGranted(rules, path, operation === 'list').has(operation);
}

export function referenceGranted(rules: readonly Rule[], path: string, listing: boolean): Set<Capability> {
  const spellings = listing && path.endsWith('/') ? [path, path.slice(0, -1)] : [path];
  for (const spelling of spellings) {
    const exact = rules.filter((rule) => !isWild(rule.path) && rule.path === spelling);
    if (exact.length > 0) return merge(exact);
  }
  const matching = rules.filter(
    (rule) => isWild(rule.path) && spellings.some((text) => toRegExp(rule.path).test(text)),
  );
  const best = matching.find((rule) =>
    matching.every((other) => other.path === rule.path || beats(rule.path, other.path)),
  );
  return best === undefined ? new Set() : merge(rules.filter((rule) => rule.path === best.path));
}

function isWild(path: string): boolean {
  return path.endsWith('*') || /(^|\/)\+(\/|$)/.test(path);
}

function toRegExp(path: string): RegExp {
  const body = path.replace(/\*$/, '');
  const segments = body.split('/').map((segment) => (segment === '+' ? '[^/]*' : RegExp.escape(segment)));
  return new RegExp(`^${segments.join('/')}${path.endsWith('*') ? '[^]*' : ''}$`);
}

/** The documented order, one rule after the other. */
function beats(left: string, right: string): boolean {
  const first = (path: string) => {
    const plus = path.split('').findIndex((character, at) => character === '+' && isSegment(path, at));
    return plus >= 0 ? plus : path.length - 1;
  };
  if (first(left) !== first(right)) return first(left) > first(right);
  if (left.endsWith('*') !== right.endsWith('*')) return right.endsWith('*');
  const pluses = (path: string) => path.split('/').filter((segment) => segment.replace(/\*$/, '') === '+').length;
  if (pluses(left) !== pluses(right)) return pluses(left) < pluses(right);
  if (left.length !== right.length) return left.length > right.length;
  return left > right;
}

function isSegment(path: string, at: number): boolean {
  return (at === 0 || path[at - 1] === '/') && (at === path.length - 1 || path[at + 1] === '/');
}

function merge(rules: readonly Rule[]): Set<Capability> {
  const all = new Set(rules.flatMap(({ capabilities }) => [...capabilities]));
  return all.has('deny') ? new Set<Capability>(['deny']) : all;
}
