import { type BuiltinRoute, defineBuiltinRoute } from '../builtin.ts';
import { invalidRequest, missingToken } from '../errors.ts';

const maximumPaths = 100;

/** `sys/capabilities-self`: what the caller's own token may do at some paths. */
export function createCapabilitiesRoute(): BuiltinRoute {
  return defineBuiltinRoute({
    path: 'capabilities-self',
    synopsis: 'Tells what the calling token may do at the given paths.',
    fields: {
      paths: { type: 'list', description: 'Paths to ask about.' },
      path: { type: 'list', description: 'The same under its older name.' },
      token: { type: 'string', description: 'Ignored: the answer is for the calling token.' },
    },
    async write({ fields, session }) {
      const paths = fields.paths?.length ? fields.paths : (fields.path ?? []);
      const [first] = paths;
      if (first === undefined) throw invalidRequest('paths must be supplied');
      if (paths.length > maximumPaths) throw invalidRequest(`at most ${maximumPaths} paths can be asked about`);
      if (session === undefined) throw missingToken();
      const capabilitiesAt = (path: string) => session.acl.capabilitiesAt(withoutSlash(path));
      const byPath = Object.fromEntries(paths.map((path) => [path, capabilitiesAt(path)]));
      const capabilities = paths.length === 1 ? { capabilities: capabilitiesAt(first) } : {};
      return { data: { ...capabilities, ...byPath }, copyToTopLevel: true };
    },
  });
}

/** People ask about `/secret/a` as readily as about `secret/a`. */
function withoutSlash(path: string): string {
  return path.replace(/^\/+/, '');
}
