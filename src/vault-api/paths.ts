import { invalidRequest, nothingThere } from './errors.ts';

export interface CanonicalPath {
  /** Without `v1/` and without trailing slash: the one spelling that policies, routes and stores see. */
  path: string;
  trailingSlash: boolean;
  /** The raw query, without `?`. */
  query: string;
}

const apiPrefix = 'v1/';

/** What Go calls printable; everything else, controls and lone surrogates included, has no place in a path. */
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u;

/**
 * Finds the one path that a request names, or refuses. The host decodes paths once and resolves dot segments before it
 * routes, and its url and its route parameter can then disagree: only a path on which both agree, and in which nothing
 * is left to decode, means the same to everyone who looks at it.
 * @param url absolute; read by hand because URL parsers would resolve dot segments once more
 * @param pathParameter the catch-all route parameter, absent for `/`
 */
export function canonicalisePath(url: string, pathParameter: string | undefined): CanonicalPath {
  const [, encoded, query = ''] = /^[a-z][a-z0-9+.-]*:\/\/[^/?]*\/?([^?]*)(?:\?(.*))?$/is.exec(url) ?? [];
  const decoded = encoded === undefined ? undefined : decodeOnce(encoded);
  const path = pathParameter ?? '';
  if (decoded !== path || /%[0-9a-f]{2}/i.test(path)) {
    throw invalidRequest('ambiguous path: percent-encoded slashes, dots and percent signs are not supported');
  }
  if (!printable.test(path)) throw invalidRequest('path contains non-printable characters');
  const segments = path.split('/');
  if (segments.includes('.') || segments.includes('..')) throw invalidRequest('relative paths not supported');
  if (path.startsWith('/') || path.includes('//')) throw invalidRequest('path contains an empty segment ("//")');
  if (!path.startsWith(apiPrefix) || path === apiPrefix) throw nothingThere();

  const trailingSlash = path.endsWith('/');
  return { path: path.slice(apiPrefix.length, trailingSlash ? -1 : undefined), trailingSlash, query };
}

function decodeOnce(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}
