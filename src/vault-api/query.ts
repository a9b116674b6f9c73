import { invalidRequest } from './errors.ts';

/**
 * Reads a raw query. The host's own view joins repeated parameters with commas, so this one is taken from the url.
 * @throws KeyfleetError `invalid_request` if a parameter is repeated: nobody can tell which one was meant
 */
export function parseQuery(query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (parameters.has(name)) throw invalidRequest(`query parameter "${name}" was sent more than once`);
    parameters.set(name, value);
  }
  return parameters;
}
