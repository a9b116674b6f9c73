import type { KeyManagement } from '../../../src/keymgmt/index.ts';
import type { KeyValue } from '../../../src/kv/index.ts';
import { createBuiltins } from '../../../src/vault-api/builtins.ts';
import type { Engine } from '../../../src/vault-api/engine.ts';
import { createKeyManagementEngine } from '../../../src/vault-api/engines/keymgmt.ts';
import { createKeyValueEngine } from '../../../src/vault-api/engines/kv.ts';
import { createStatusEndpoints } from '../../../src/vault-api/system/status.ts';
import { createMemoryDeadLetters } from '../../support/memory-dead-letters.ts';
import { start } from '../support/harness.ts';
import {
  createMemoryLoginRoleStore,
  createMemoryMountStore,
  createMemoryPolicyStore,
  createMemoryTokenStore,
} from '../support/memory-stores.ts';

/** One thing that can be asked of one route. */
export interface Endpoint {
  method: 'GET' | 'LIST' | 'PUT' | 'PATCH' | 'DELETE';
  /** As registered, with its mount: `keymgmt/key/:name`. */
  route: string;
  /** Names of the fields that it knows. */
  fields: readonly string[];
}

const methods = { read: 'GET', list: 'LIST', write: 'PUT', patch: 'PATCH', delete: 'DELETE' } as const;

/** The service's engines, which do nothing: what is asked is only whether they would be. */
export function idleEngines(): Engine[] {
  const none = {} as unknown;
  const engines = [createKeyManagementEngine(none as KeyManagement), createKeyValueEngine(none as KeyValue)];
  return engines.map(({ type, routes }) => ({
    type,
    routes: routes.map((route) => ({
      ...route,
      ...(route.read && { read: async () => ({ data: {} }) }),
      ...(route.list && { list: async () => ({ keys: ['a'] }) }),
      ...(route.write && { write: async () => ({}) }),
      ...(route.patch && { patch: async () => ({}) }),
      ...(route.delete && { delete: async () => ({}) }),
    })),
  }));
}

/** Everything that is registered, each engine at the mount of its type's name. */
export function allEndpoints(): Endpoint[] {
  const signIn = { reason: 'nobody' };
  const shared = { version: '2.0.0', clusterId: 'c', now: () => start, signIn };
  const builtins = createBuiltins({
    ...shared,
    mounts: createMemoryMountStore(),
    tokens: createMemoryTokenStore(),
    policies: createMemoryPolicyStore(),
    loginRoles: createMemoryLoginRoleStore(),
    engines: [],
    deadLetters: createMemoryDeadLetters(),
    newUuid: () => '',
  });
  const open = [...createStatusEndpoints({ ...shared, clusterName: 'c' }).keys()];
  const mounts = [...builtins, ...idleEngines().map(({ type, routes }) => ({ path: `${type}/`, routes }))];
  return [
    ...open.map((route) => ({ method: 'GET' as const, route, fields: [] })),
    ...mounts.flatMap(({ path, routes }) =>
      routes.flatMap((route) =>
        (Object.keys(methods) as (keyof typeof methods)[])
          .filter((operation) => route[operation] !== undefined)
          .map((operation) => ({
            method: methods[operation],
            route: path + route.path,
            fields: Object.keys(route.fields),
          })),
      ),
    ),
  ].toSorted((left, right) => (left.route + left.method < right.route + right.method ? -1 : 1));
}
