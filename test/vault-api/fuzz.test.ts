import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createKeyValue } from '../../src/kv/index.ts';
import type { Engine } from '../../src/vault-api/engine.ts';
import { createExistenceChecks } from '../../src/vault-api/engines/existence.ts';
import { createKeyManagementEngine } from '../../src/vault-api/engines/keymgmt.ts';
import { createKeyValueEngine } from '../../src/vault-api/engines/kv.ts';
import type { VaultRequest } from '../../src/vault-api/protocol.ts';
import { createWorld, openHouse } from '../support/house.ts';
import { allEndpoints } from './authorisation/routes.ts';
import { callerOf, fakeVerification, tokenNamed } from './support/callers.ts';
import { createHarness, type Harness, plainToken, rootToken, sampleMount } from './support/harness.ts';
import { createMemoryMountStore } from './support/memory-stores.ts';

/*
 * Whatever is sent to whatever route, by whomever: an answer, in time, that isn't our fault. The engines are the
 * service's own, over tables and vaults in memory. A failure prints the seed it came from.
 */
const long = process.env.KEYFLEET_TEST_LONG === '1';
const requestsPerHistory = 50;
const histories = (long ? 50_000 : 5_000) / requestsPerHistory;

const endpoints = allEndpoints();

const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'west', 'ops', 'default', 'root', 'keymgmt', 'kv') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('__proto__', 'constructor', 'a.b', 'a-', 'A', '0', 'x'.repeat(300), '+', '*'),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 8 }) },
);
const rest = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));

const pathOf = (route: string) => {
  const segments = route.split('/').map((segment) => {
    if (segment.startsWith('*')) return fc.oneof(rest, fc.constantFrom('keymgmt', 'kv', 'jwt'));
    return segment.startsWith(':') ? name : fc.oneof({ weight: 40, arbitrary: fc.constant(segment) }, name);
  });
  return fc.tuple(...segments).map((parts) => parts.join('/'));
};

const otherMethod = fc.oneof(
  fc.constantFrom('GET', 'LIST', 'PUT', 'POST', 'PATCH', 'DELETE', 'HEAD', 'HELP'),
  fc.string({ maxLength: 8 }),
);

const query = fc.oneof(
  { weight: 16, arbitrary: fc.constant('') },
  fc.constantFrom('?list=true', '?help=1', '?version=1', '?version=x', '?list=', '?depth=-1', '?activecode=299'),
  fc.webQueryParameters().map((text) => `?${text}`),
);

const policyText = fc.oneof(
  fc.constantFrom('path "a" { capabilities = ["read"] }', '{"path":{"*":{"policy":"deny"}}}', 'cGF0aCAiYSIge30='),
  fc.string(),
);
const fieldValue = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('a', 'b', '1', '1h', 'true', 'rsa-2048', 'azurekeyvault', 'encrypt,sign', 'hsm'),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom('keymgmt', 'kv', 'ops', rootToken, tokenNamed('admin'), tokenNamed('nobody')),
  },
  { weight: 1, arbitrary: policyText },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, 1, -1, 1e21, 0.5, true, null, [], {}, ['a', 1], { a: { b: [] } }, { cas: 'x' }),
  },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
);
/** What makes sense, so that more than refusals is tried. */
const plausible: ReadonlyMap<string, readonly unknown[]> = new Map(
  Object.entries({
    type: ['rsa-2048', 'keymgmt', 'kv', 'service'],
    provider: ['azurekeyvault'],
    key_collection: ['west', 'east'],
    credentials: [{ tenant_id: 't' }, ['tenant_id=t', 'client_id=c']],
    purpose: ['encrypt,decrypt', ['sign']],
    protection: ['hsm', 'software'],
    data: [{ a: 1 }, { a: { b: [null] } }, {}],
    options: [{}, { cas: 1 }, { cas: '0' }],
    versions: [[1], '1,2', ['1']],
    policy: ['path "a" { capabilities = ["read"] }', '{"path":{"*":{"policy":"deny"}}}', 'cGF0aCAiYSIge30='],
    rules: ['path "a" { policy = "write" }'],
    jwt: [tokenNamed('admin'), tokenNamed('nobody')],
    role: ['a', 'ops'],
    bound_claims: [{ oid: 'object-1' }, { roles: ['x'], azp: 'client-1' }],
    bound_audiences: ['api://keyfleet'],
    bound_subject: ['object-1'],
    bound_service_principal_ids: ['object-1'],
  }),
);

const fieldsOf = (names: readonly string[]) =>
  fc
    .uniqueArray(
      fc.oneof({ weight: 9, arbitrary: fc.constantFrom('a', ...names) }, fc.constantFrom('__proto__', 'toString')),
      {
        maxLength: 6,
      },
    )
    .chain((chosen) =>
      fc.tuple(
        ...chosen.map((field) =>
          fc.tuple(
            fc.constant(field),
            fc.oneof(
              { weight: 4, arbitrary: fc.constantFrom(...(plausible.get(field) ?? ['1'])) },
              { weight: 1, arbitrary: fieldValue },
            ),
          ),
        ),
      ),
    )
    .map((entries) => Buffer.from(JSON.stringify(Object.fromEntries(entries))));

const bodyOf = (names: readonly string[]) =>
  fc.oneof(
    { weight: 12, arbitrary: fieldsOf(names) },
    { weight: 1, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.json({ maxDepth: 3 }).map((text) => Buffer.from(text)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)) },
  );

const token = fc.oneof(
  { weight: 8, arbitrary: fc.constant(rootToken) },
  { weight: 3, arbitrary: fc.constantFrom(tokenNamed('admin'), tokenNamed('reader'), tokenNamed('nobody')) },
  { weight: 1, arbitrary: fc.constantFrom(plainToken, '', 'hvs.none', '..', 'a.b.', ',') },
  { weight: 1, arbitrary: fc.string() },
);
const header = fc.tuple(
  fc.constantFrom(
    'authorization',
    'content-length',
    'transfer-encoding',
    'x-vault-namespace',
    'x-vault-wrap-ttl',
    'prefer',
  ),
  fc.oneof(fc.constantFrom('respond-async', '0', 'root', 'chunked', `Bearer ${rootToken}`), fc.string()),
);
const otherContentType = fc.constantFrom('application/x-www-form-urlencoded', 'application/json', '', 'text/plain; a');

const sent = fc.constantFrom(...endpoints).chain(({ method, route, fields }) => {
  const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  return fc.record({
    method: fc.oneof({ weight: 6, arbitrary: fc.constant<string>(method) }, otherMethod),
    path: pathOf(route),
    query,
    token,
    body: bodyOf(fields),
    contentType: fc.oneof({ weight: 8, arbitrary: fc.constant(contentType) }, otherContentType),
    headers: fc.oneof({ weight: 8, arbitrary: fc.constant([]) }, fc.tuple(header)),
  });
});
type Sent = typeof sent extends fc.Arbitrary<infer Value> ? Value : never;

function toRequest({
  method: verb,
  path: text,
  query: search,
  token: sentToken,
  body: bytes,
  ...more
}: Sent): VaultRequest {
  const headers = new Map([['x-vault-token', sentToken], ['content-type', more.contentType], ...more.headers]);
  const encoded = text
    .split('/')
    .map((segment) => encodeURIComponent(segment.toWellFormed()))
    .join('/');
  return {
    method: verb,
    url: `https://keyfleet.example/v1/${encoded}${search}`,
    pathParameter: `v1/${text}`,
    headers: { get: (header) => headers.get(header.toLowerCase()) ?? null },
    body: bytes,
  };
}

async function openService(): Promise<Harness> {
  const world = createWorld();
  const house = openHouse(world);
  const keyValue = createKeyValue({ state: house.state, now: world.now });
  const engines: Engine[] = [createKeyManagementEngine(house), createKeyValueEngine(keyValue)];
  return createHarness({
    engines,
    existenceChecks: createExistenceChecks(house, keyValue),
    mounts: createMemoryMountStore([
      sampleMount({ uuid: 'keys' }),
      sampleMount({ path: 'kv/', type: 'kv', uuid: 'secrets', options: { version: '2' } }),
    ]),
    signIn: {
      verify: fakeVerification({
        admin: callerOf({ roles: ['Administrator'], id: 'tenant/admin' }),
        reader: callerOf({ roles: ['Reader'], id: 'tenant/reader' }),
        nobody: callerOf(),
      }),
    },
  });
}

test(
  'every request to every route is answered, and nothing is our fault',
  { timeout: long ? 900_000 : 60_000 },
  async () => {
    const seen = new Set<number>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(sent, { minLength: requestsPerHistory, maxLength: requestsPerHistory }),
        async (requests) => {
          const harness = await openService();
          for (const request of requests) {
            const { status, body: answer = '{}' } = await harness.api.handle(toRequest(request));
            seen.add(status);
            const chosen = request.path.startsWith('sys/health');
            if (!chosen) expect(status, `${request.method} ${request.path}: ${answer}`).toBeLessThan(500);
            JSON.parse(answer);
          }
          // What is worth a line in the log is a failure, and there are none.
          expect(harness.log.filter(({ level }) => level === 'error')).toEqual([]);
        },
      ),
      { numRuns: histories, timeout: 20_000 },
    );
    expect([...seen].toSorted()).toEqual(expect.arrayContaining([200, 204, 400, 403, 404, 405, 415]));
  },
);
