import { type BuiltinRoute, defineBuiltinRoute } from '../builtin.ts';
import { invalidRequest } from '../errors.ts';
import { capabilitiesOf } from '../policy.ts';

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
      const policies = session?.record.policies ?? [];
      const byPath = Object.fromEntries(paths.map((path) => [path, capabilitiesOf(policies, path)]));
      const capabilities = paths.length === 1 ? { capabilities: capabilitiesOf(policies, first) } : {};
      return { data: { ...capabilities, ...byPath }, copyToTopLevel: true };
    },
  });
}
