import { badParameter, KeyVaultError, methodNotAllowed, notImplemented } from './errors.ts';
import type { Operation } from './operation.ts';

/** An operation with its address. `:name` is a segment with something in it, `:version` may be empty. */
export interface Route extends Operation {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
}

export interface RouteMatch {
  operation: Operation;
  name: string;
  version: string;
}

/** What vaults serve too, and this stand-in doesn't. */
const absentCollections: readonly string[] = [
  'certificates',
  'deletedcertificates',
  'storage',
  'deletedstorage',
  'securitydomain',
];

/**
 * @returns a function that finds the route of a request; the first that fits wins
 * @throws KeyVaultError (that function) 400 for a bad name, 404, 405, 501
 */
export function createRouter(routes: readonly Route[]): (method: string, pathname: string) => RouteMatch {
  const compiled = routes.map((route) => ({ route, pattern: route.path.slice(1).split('/') }));
  return (method, pathname) => {
    const segments = segmentsOf(pathname);
    const fitting = compiled.filter(({ pattern }) => fits(pattern, segments));
    const found = fitting.find(({ route }) => route.method === method);
    if (!found) throw refusal(method, segments, fitting.length > 0);
    const valueOf = (parameter: string) => segments[found.pattern.indexOf(parameter)] ?? '';
    const name = valueOf(':name');
    if (found.pattern.includes(':name') && !/^[0-9a-zA-Z-]{1,127}$/.test(name)) {
      throw badParameter(`The name '${name}' is invalid: 1 to 127 letters, digits and hyphens.`);
    }
    return { operation: found.route, name, version: valueOf(':version') };
  };
}

function segmentsOf(pathname: string): string[] {
  let segments: string[];
  try {
    segments = pathname.slice(1).split('/').map(decodeURIComponent);
  } catch {
    throw badParameter('The path of the request is malformed.');
  }
  // A collection may be written with a slash behind it: an empty name is no name.
  return segments.length === 2 && segments[1] === '' ? segments.slice(0, 1) : segments;
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  if (pattern.length !== segments.length) return false;
  return pattern.every((part, index) => {
    if (part === ':version') return true;
    return part === ':name' ? segments[index] !== '' : part === segments[index];
  });
}

function refusal(method: string, segments: readonly string[], pathExists: boolean): KeyVaultError {
  if (pathExists) return methodNotAllowed(method);
  const collection = segments[0]?.toLowerCase() ?? '';
  if (absentCollections.includes(collection)) return notImplemented(collection);
  return new KeyVaultError(404, 'NotFound', `There is nothing at /${segments.join('/')}.`);
}
