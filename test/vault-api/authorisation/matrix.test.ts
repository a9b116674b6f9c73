import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { builtInPolicies } from '../../../src/vault-api/policies/built-in.ts';
import { createHarness, sampleMount } from '../support/harness.ts';
import { createMemoryMountStore } from '../support/memory-stores.ts';
import { allEndpoints, type Endpoint, idleEngines } from './routes.ts';

/*
 * Who may ask what, for every route that is registered. A route that was added, or that somebody may use who couldn't
 * before, changes the table, and this test fails until matrix.txt says so too (`vitest run test/vault-api/authorisation -u`).
 * Callers have one policy alone here; in use, roles come with `default`.
 */
const file = new URL('./matrix.txt', import.meta.url);
const policies = [...builtInPolicies.keys()];
const columns = [...policies.map((name) => name.replace('keyfleet-', '')), 'default', 'no token'];

async function isRefused({ method, route }: Endpoint, caller: string): Promise<boolean> {
  const harness = await createHarness({
    engines: idleEngines(),
    mounts: createMemoryMountStore([
      sampleMount({ path: 'keymgmt/', uuid: 'keymgmt' }),
      sampleMount({ path: 'kv/', type: 'kv', uuid: 'kv' }),
    ]),
  });
  await harness.putToken('hvs.caller', { policies: [`keyfleet-${caller}`, caller], accessor: 'caller' });
  const path = route.replace(/:\w+/g, 'x').replace(/\*\w+/, 'kv/x');
  const { status } = await harness.call(method, `/v1/${path}`, {
    token: caller === 'no token' ? null : 'hvs.caller',
    headers: { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' },
    body: method === 'PUT' || method === 'PATCH' ? {} : undefined,
  });
  expect(status, `${method} ${route}`).not.toBe(500);
  return status === 403;
}

async function makeTable(): Promise<string> {
  const rows = await Promise.all(
    allEndpoints().map(async (endpoint) => {
      const refused = await Promise.all(columns.map((caller) => isRefused(endpoint, caller)));
      const cells = refused.map((no, index) => (no ? '-' : 'yes').padEnd(columns[index]?.length ?? 0));
      return `${endpoint.method.padEnd(7)}${endpoint.route.padEnd(34)}${cells.join('  ')}`.trimEnd();
    }),
  );
  return [`${''.padEnd(41)}${columns.join('  ')}`, ...rows, ''].join('\n');
}

test('every route, asked by everybody', async () => {
  const table = await makeTable();
  await expect(table).toMatchFileSnapshot(file.pathname);
});

test('without a token there is nothing but this', () => {
  const lines = readFileSync(file, 'utf8').split('\n');
  const at = lines[0]?.indexOf('no token') ?? 0;
  const open = lines.filter((line) => line.slice(at) === 'yes').map((line) => line.slice(0, 41).trim());
  expect(open).toEqual([
    'PUT    auth/azure/login',
    'PUT    auth/jwt/login',
    'GET    sys/health',
    'GET    sys/init',
    'GET    sys/internal/ui/mounts',
    'GET    sys/leader',
    'GET    sys/seal-status',
  ]);
});
