import type { Capability, Rule } from './policy-text.ts';

/** What a policy decides on; a write that makes something new is a `create`. */
export type AclOperation = 'create' | 'read' | 'update' | 'patch' | 'delete' | 'list';

/** All that a set of policies allows. */
export interface Acl {
  /** @param path canonical, without `v1/`; that of a list ends in a slash */
  allows(operation: AclOperation, path: string): boolean;
  /**
   * @returns whether the rule that decides on the operation grants `sudo`, which what Vault calls root-protected needs in
   * addition
   */
  isSudo(operation: AclOperation, path: string): boolean;
  /** In the words of `sys/capabilities-self`, in order: `root` or `deny` alone, or what is granted. */
  capabilitiesAt(path: string): string[];
  /** @returns whether anything at all is allowed at or below a mount, whose path ends in a slash */
  reaches(mountPath: string): boolean;
}

/** The policy `root`. */
export const rootAcl: Acl = {
  allows: () => true,
  isSudo: () => true,
  capabilitiesAt: () => ['root'],
  reaches: () => true,
};

/** A rule whose path holds wildcards, made ready to be compared. */
interface Pattern {
  segments: readonly string[];
  /** The last segment is only the beginning of one, and anything may follow. */
  isPrefix: boolean;
  /** Characters before the first wildcard. */
  firstWildcard: number;
  wildcardSegments: number;
  /** Without the final `*`. */
  path: string;
  granted: ReadonlySet<Capability>;
}

/**
 * Compiles the rules of all policies of a caller. Rules for the same path add up, unless one of them denies. For each
 * request one rule decides, the most specific: a path without wildcards if there is one, else by Vault's order, see
 * {@link compareSpecificity}.
 */
export function compileAcl(rules: readonly Rule[]): Acl {
  const exact = new Map<string, ReadonlySet<Capability>>();
  const patterns: Pattern[] = [];
  for (const [path, granted] of mergeByPath(rules)) {
    if (path.endsWith('*') || hasWildcardSegment(path)) patterns.push(toPattern(path, granted));
    else exact.set(path, granted);
  }
  // The first that matches decides.
  patterns.sort((left, right) => compareSpecificity(right, left));

  /**
   * A list ends in a slash and its rule may leave that out. Of rules for either spelling the more specific one decides:
   * Vault's own code looks at the shorter spelling first, so that there `*` beats `a/*` for lists of `a/` alone.
   */
  function grantedAt(path: string, listing: boolean): ReadonlySet<Capability> {
    const trimmed = listing && path.endsWith('/') ? path.slice(0, -1) : undefined;
    const found = exact.get(path) ?? (trimmed === undefined ? undefined : exact.get(trimmed));
    if (found !== undefined) return found;
    const spellings = [path, ...(trimmed === undefined ? [] : [trimmed])].map((spelling) => spelling.split('/'));
    const pattern = patterns.find((candidate) => spellings.some((segments) => matches(candidate, segments)));
    return pattern?.granted ?? nothing;
  }

  return {
    allows: (operation, path) => grantedAt(path, operation === 'list').has(operation),
    isSudo: (operation, path) => grantedAt(path, operation === 'list').has('sudo'),
    capabilitiesAt(path) {
      const granted = [...grantedAt(path, true)].toSorted();
      return granted.length === 0 ? ['deny'] : granted;
    },
    reaches(mountPath) {
      const mountSegments = mountPath.slice(0, -1).split('/');
      const isBelow = (path: string) => `${path}/`.startsWith(mountPath);
      return (
        [...exact].some(([path, granted]) => grantsAnything(granted) && isBelow(path)) ||
        patterns.some((pattern) => grantsAnything(pattern.granted) && overlaps(pattern, mountSegments))
      );
    },
  };
}

const nothing: ReadonlySet<Capability> = new Set();

function mergeByPath(rules: readonly Rule[]): Map<string, ReadonlySet<Capability>> {
  const byPath = new Map<string, ReadonlySet<Capability>>();
  for (const { path, capabilities } of rules) {
    const merged = new Set([...(byPath.get(path) ?? []), ...capabilities]);
    byPath.set(path, merged.has('deny') ? new Set(['deny']) : merged);
  }
  return byPath;
}

function hasWildcardSegment(path: string): boolean {
  return path.split('/').includes('+');
}

function toPattern(written: string, granted: ReadonlySet<Capability>): Pattern {
  const isPrefix = written.endsWith('*');
  const path = isPrefix ? written.slice(0, -1) : written;
  const segments = path.split('/');
  const first = segments.indexOf('+');
  return {
    segments,
    isPrefix,
    firstWildcard: first < 0 ? path.length : segments.slice(0, first).join('/').length + (first === 0 ? 0 : 1),
    wildcardSegments: segments.filter((segment) => segment === '+').length,
    path,
    granted,
  };
}

/**
 * Vault's order: the first wildcard further right, then no `*` at the end, then fewer `+`, then the longer path, then
 * the one later in the alphabet.
 * @returns positive if `left` is more specific than `right`
 */
function compareSpecificity(left: Pattern, right: Pattern): number {
  return (
    left.firstWildcard - right.firstWildcard ||
    Number(right.isPrefix) - Number(left.isPrefix) ||
    right.wildcardSegments - left.wildcardSegments ||
    left.path.length - right.path.length ||
    (left.path > right.path ? 1 : -1)
  );
}

function matches({ segments, isPrefix }: Pattern, path: readonly string[]): boolean {
  const last = segments.length - 1;
  if (isPrefix ? path.length < segments.length : path.length !== segments.length) return false;
  return segments.every((segment, index) => {
    const found = path[index] ?? '';
    return segment === '+' || segment === found || (isPrefix && index === last && found.startsWith(segment));
  });
}

/** @returns whether some path at or below the mount could match */
function overlaps({ segments, isPrefix }: Pattern, mount: readonly string[]): boolean {
  const last = segments.length - 1;
  if (!isPrefix && segments.length < mount.length) return false;
  return segments.every((segment, index) => {
    const found = mount[index];
    // What the mount's path doesn't reach can be anything.
    return (
      found === undefined ||
      segment === '+' ||
      segment === found ||
      (isPrefix && index === last && found.startsWith(segment))
    );
  });
}

function grantsAnything(granted: ReadonlySet<Capability>): boolean {
  return granted.size > 0 && !granted.has('deny');
}
