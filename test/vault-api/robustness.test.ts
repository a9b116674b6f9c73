import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { VaultRequest } from '../../src/vault-api/protocol.ts';
import { createHarness, plainToken, rootToken, sampleMount } from './support/harness.ts';
import { createMemoryMountStore } from './support/memory-stores.ts';
import { createSampleEngine } from './support/sample-engine.ts';

const statuses = [200, 204, 400, 403, 404, 405, 411, 413, 415, 500, 503];

const method = fc.oneof(
  fc.constantFrom('GET', 'HEAD', 'LIST', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'HELP', 'list', 'CONNECT'),
  fc.string(),
);
const word = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom('v1', 'sys', 'mounts', 'keymgmt', 'key', 'a', 'echo', 'failing', 'unprintable', 'tune'),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom('auth', 'token', 'lookup-self', 'lookup', 'create', 'renew-self', 'capabilities-self'),
  },
  { weight: 3, arbitrary: fc.constantFrom('internal', 'ui', 'health', 'leader', 'init', 'seal-status', 'rotate', '') },
  { weight: 1, arbitrary: fc.constantFrom('..', '.', '%2f', '%', '__proto__', 'constructor', 'a.', '%00') },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme' }) },
);
const path = fc.oneof(
  fc.array(word, { maxLength: 6 }).map((words) => `/v1/${words.join('/')}`),
  fc.constantFrom(
    '/v1/keymgmt/key',
    '/v1/keymgmt/key/a',
    '/v1/keymgmt/echo/a',
    '/v1/keymgmt/failing',
    '/v1/sys/mounts',
    '/v1/sys/mounts/a',
    '/v1/sys/mounts/keymgmt/tune',
    '/v1/sys/capabilities-self',
    '/v1/sys/internal/ui/mounts/keymgmt',
    '/v1/auth/token/create',
    '/v1/auth/token/lookup',
  ),
);
const query = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  fc.constantFrom('?list=true', '?list=x', '?help=1', '?a=1&a=2', '?__proto__=1', '?count=x', '?'),
  fc.string().map((text) => `?${text}`),
);
const header = fc.tuple(
  fc.constantFrom(
    'content-type',
    'content-length',
    'transfer-encoding',
    'x-vault-token',
    'authorization',
    'x-vault-namespace',
    'x-vault-wrap-ttl',
    'prefer',
  ),
  fc.oneof(
    fc.constantFrom(
      'application/x-www-form-urlencoded',
      'application/merge-patch+json',
      'chunked',
      '5',
      '-1',
      rootToken,
      `Bearer ${rootToken}`,
      'root',
      '0',
    ),
    fc.string(),
  ),
);
const body = fc.oneof(
  fc.constant(null),
  fc.json().map((text) => Buffer.from(text)),
  fc
    .dictionary(
      fc.constantFrom('type', 'path', 'paths', 'token', 'count', 'config', 'ttl', '__proto__'),
      fc.jsonValue(),
    )
    .map((value) => Buffer.from(JSON.stringify(value))),
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
);

interface Sent {
  method: string;
  path: string;
  query: string;
  token: string;
  headers: [string, string][];
  body: Buffer | null;
  /** Whether the host's two views of the path agree. */
  agreeing: boolean;
}

const sent: fc.Arbitrary<Sent> = fc.record({
  method,
  path,
  query,
  token: fc.constantFrom(rootToken, rootToken, rootToken, plainToken, 'hvs.none', ''),
  headers: fc.array(header, { maxLength: 2 }),
  body,
  agreeing: fc.constantFrom(true, true, true, false),
});

function toRequest({
  method: verb,
  path: text,
  query: search,
  token,
  headers,
  body: bytes,
  agreeing,
}: Sent): VaultRequest {
  const all = new Map([['x-vault-token', token], ...headers]);
  const encoded = text
    .split('/')
    .map((part) => (part.isWellFormed() ? encodeURIComponent(part) : part))
    .join('/');
  return {
    method: verb,
    url: `https://keyfleet.example${agreeing ? encoded : text}${search}`,
    pathParameter: text.slice(1),
    headers: { get: (name) => all.get(name.toLowerCase()) ?? null },
    body: bytes,
  };
}

async function fleet() {
  const engine = createSampleEngine();
  engine.failure = new Error('unexpected');
  return { engine, ...(await createHarness({ engines: [engine], mounts: createMemoryMountStore([sampleMount()]) })) };
}

test('every request is answered, in JSON, with a status that clients know', async () => {
  const harness = await fleet();
  const seen = new Set<number>();
  await fc.assert(
    fc.asyncProperty(sent, async (request) => {
      const response = await harness.api.handle(toRequest(request));
      seen.add(response.status);
      // Health probes choose statuses of their own.
      if (!(request.path.startsWith('/v1/sys/health') && request.query !== ''))
        expect(statuses).toContain(response.status);
      expect(response.headers).toEqual({ 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
      const bodiless = request.method === 'HEAD' || response.status === 204;
      expect(response.body === undefined).toBe(bodiless);
      if (bodiless) return;
      const answer = JSON.parse(response.body ?? '') as { errors?: unknown };
      if (response.status >= 400) expect(Object.keys(answer)).toEqual(['errors']);
      if (response.status >= 400)
        expect(answer.errors).toSatisfy((errors) => Array.isArray(errors) && errors.length < 2);
    }),
    { numRuns: 4000 },
  );
  // The generator reaches everything that matters.
  expect([...seen].toSorted()).toEqual(expect.arrayContaining([200, 204, 400, 403, 404, 405, 500]));
});

test('nothing is done for a caller without a token', async () => {
  const harness = await fleet();
  const before = await harness.mounts.read();
  await fc.assert(
    fc.asyncProperty(sent, fc.constantFrom('', 'hvs.none', plainToken), async (request, token) => {
      const stranger = {
        ...request,
        token,
        headers: request.headers.filter(([name]) => !/token|authorization/.test(name)),
      };
      const { status, body: text = '{}' } = await harness.api.handle(toRequest(stranger));
      if (status < 400 && request.method !== 'HEAD')
        expect(text).toMatch(/"initialized"|"ha_enabled"|"secret":\{\}|"help"/);
    }),
    { numRuns: 1500 },
  );
  expect(await harness.mounts.read()).toEqual(before);
  expect(harness.engine.things.size).toBe(0);
  expect((await harness.call('GET', '/v1/auth/token/lookup-self')).status).toBe(200);
});
