import { KeyfleetError } from '../../../src/errors.ts';
import { defineRoute, type Engine, type EngineContext } from '../../../src/vault-api/engine.ts';

const fieldsOfEveryType = {
  text: { type: 'string', description: 'Text.' },
  count: { type: 'integer', description: 'A count.' },
  flag: { type: 'boolean', description: 'A flag.' },
  period: { type: 'duration', description: 'A period.' },
  items: { type: 'list', description: 'Items.' },
  labels: { type: 'pairs', description: 'Labels.' },
  tree: { type: 'map', description: 'Anything.' },
} as const;

export interface SampleEngine extends Engine {
  /** Names of things that exist, by mount. */
  things: Map<string, Set<string>>;
  /** What handlers were told. */
  contexts: EngineContext[];
  /** Thrown by `failing`, and before a mount is disabled. */
  failure: unknown;
  removedMounts: string[];
}

/** An engine that keeps names and echoes fields. */
export function createSampleEngine(type = 'keymgmt'): SampleEngine {
  const things = new Map<string, Set<string>>();
  const contexts: EngineContext[] = [];
  const at = ({ mount }: EngineContext) => things.get(mount.uuid) ?? new Set<string>();

  const engine: SampleEngine = {
    type,
    things,
    contexts,
    failure: undefined,
    removedMounts: [],
    routes: [
      defineRoute({
        path: 'key',
        synopsis: 'Lists keys.',
        fields: {},
        list: async (request) => ({ keys: [...at(request)] }),
      }),
      defineRoute({
        path: 'key/:name',
        synopsis: 'Keeps a key.',
        fields: { type: { type: 'string', description: 'Type of the key.' } },
        async read(request) {
          contexts.push(request);
          const { name } = request.parameters;
          return at(request).has(name) ? { data: { name } } : undefined;
        },
        async write(request) {
          const { parameters, fields, mount } = request;
          things.set(mount.uuid, at(request).add(parameters.name));
          return fields.type === 'odd' ? { warnings: ['an odd type'] } : {};
        },
        async delete(request) {
          at(request).delete(request.parameters.name);
          return {};
        },
      }),
      defineRoute({
        path: 'key/:name/rotate',
        synopsis: 'Rotates a key.',
        fields: {},
        async write(request) {
          if (at(request).has(request.parameters.name)) return {};
          throw new KeyfleetError('not_found', `there is no key "${request.parameters.name}"`);
        },
      }),
      defineRoute({
        path: 'echo/:name',
        synopsis: 'Says what it was sent.',
        fields: fieldsOfEveryType,
        read: async ({ fields, parameters }) => ({ data: { fields, parameters } }),
        write: async ({ fields, parameters }) => ({ data: { fields, parameters } }),
        delete: async () => ({}),
      }),
      defineRoute({
        path: 'failing',
        synopsis: 'Fails.',
        fields: {},
        read: () => Promise.reject(engine.failure as Error),
        list: () => Promise.reject(engine.failure as Error),
        write: () => Promise.reject(engine.failure as Error),
      }),
      defineRoute({
        path: 'unprintable',
        synopsis: 'Answers what JSON cannot say.',
        fields: {},
        read: async () => ({ data: { big: 1n } }),
      }),
    ],
    async beforeDisable() {
      if (engine.failure !== undefined) throw engine.failure as Error;
    },
    async removeAll(mount) {
      engine.removedMounts.push(mount.uuid);
      things.delete(mount.uuid);
    },
  };
  return engine;
}
