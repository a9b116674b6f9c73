import { beforeEach, describe, expect, test } from 'vitest';
import { createHarness, type Harness, plainToken, sampleMount } from './support/harness.ts';
import { createMemoryMountStore } from './support/memory-stores.ts';
import { createSampleEngine, type SampleEngine } from './support/sample-engine.ts';

const unsupportedPath = { errors: ['1 error occurred:\n\t* unsupported path\n\n'] };
const unsupportedOperation = { errors: ['1 error occurred:\n\t* unsupported operation\n\n'] };
const nothing = { errors: [] };

let harness: Harness;
let engine: SampleEngine;

beforeEach(async () => {
  engine = createSampleEngine();
  const mounts = [
    sampleMount(),
    sampleMount({ path: 'team/a/keys/', uuid: 'inner' }),
    sampleMount({ path: 'team/b/', uuid: 'other' }),
  ];
  harness = await createHarness({ engines: [engine], mounts: createMemoryMountStore(mounts) });
});

describe('verbs', () => {
  test.each(['PUT', 'POST'])('%s writes', async (method) => {
    expect(await harness.call(method, '/v1/keymgmt/key/a', { body: {} })).toMatchObject({ status: 204 });
    expect((await harness.call('GET', '/v1/keymgmt/key/a')).json.data).toEqual({ name: 'a' });
  });

  test('DELETE deletes', async () => {
    await harness.call('PUT', '/v1/keymgmt/key/a');
    expect(await harness.call('DELETE', '/v1/keymgmt/key/a')).toMatchObject({ status: 204 });
    expect(await harness.call('GET', '/v1/keymgmt/key/a')).toMatchObject({ status: 404, json: nothing });
  });

  test.each(['list', 'get', 'OPTIONS', 'TRACE', 'CONNECT', 'PURGE', 'SCAN', 'FOO', ''])(
    '"%s" is answered with 405',
    async (method) => {
      expect(await harness.call(method, '/v1/keymgmt/key/a')).toMatchObject({ status: 405, json: nothing });
    },
  );

  test.each([
    ['GET', '/v1/keymgmt/key'],
    ['GET', '/v1/keymgmt/key/a/rotate'],
    ['DELETE', '/v1/keymgmt/key/a/rotate'],
    ['PUT', '/v1/keymgmt/key'],
    ['PUT', '/v1/sys/mounts'],
    ['DELETE', '/v1/auth/token/lookup-self'],
  ])('%s %s is answered with 405', async (method, path) => {
    expect(await harness.call(method, path)).toMatchObject({ status: 405, json: unsupportedOperation });
  });

  test('PATCH is answered with 405 where nothing can be patched', async () => {
    const headers = { 'content-type': 'application/merge-patch+json' };
    const answer = await harness.call('PATCH', '/v1/keymgmt/key/a', { headers, body: { type: 'x' } });
    expect(answer).toMatchObject({ status: 405, json: unsupportedOperation });
  });

  test('HEAD is GET without a body', async () => {
    await harness.call('PUT', '/v1/keymgmt/key/a');
    const found = await harness.call('HEAD', '/v1/keymgmt/key/a');
    expect(found).toMatchObject({ status: 200, headers: { 'Content-Type': 'application/json' } });
    expect(found).not.toHaveProperty('body');
    const missing = await harness.call('HEAD', '/v1/keymgmt/key/b');
    expect(missing).toMatchObject({ status: 404 });
    expect(missing).not.toHaveProperty('body');
  });
});

describe('lists', () => {
  beforeEach(async () => {
    for (const name of ['b', 'a', 'C']) await harness.call('PUT', `/v1/keymgmt/key/${name}`);
  });

  test.each(['1', 't', 'T', 'true', 'TRUE', 'True'])('GET with ?list=%s lists', async (value) => {
    const answer = await harness.call('GET', `/v1/keymgmt/key?list=${value}`);
    expect(answer.json).toMatchObject({ data: { keys: ['C', 'a', 'b'] }, warnings: null });
  });

  test.each(['/v1/keymgmt/key', '/v1/keymgmt/key/', '/v1/keymgmt/key/?list=true'])('LIST %s lists', async (path) => {
    expect((await harness.call('LIST', path)).json.data).toEqual({ keys: ['C', 'a', 'b'] });
  });

  test.each(['0', 'f', 'F', 'false', 'FALSE', 'False', ''])('GET with ?list=%s reads', async (value) => {
    expect((await harness.call('GET', `/v1/keymgmt/key/a?list=${value}`)).json.data).toEqual({ name: 'a' });
  });

  test.each(['yes', 'TrUe', '2', 'true%20'])('GET with ?list=%s is refused', async (value) => {
    expect(await harness.call('GET', `/v1/keymgmt/key?list=${value}`)).toMatchObject({ status: 400, json: nothing });
  });

  test('an empty list is a 404 without a message', async () => {
    for (const name of ['b', 'a', 'C']) await harness.call('DELETE', `/v1/keymgmt/key/${name}`);
    expect(await harness.call('LIST', '/v1/keymgmt/key')).toMatchObject({ status: 404, json: nothing });
    expect(await harness.call('GET', '/v1/keymgmt/key?list=true')).toMatchObject({ status: 404, json: nothing });
  });

  test('what has no list is an unsupported path', async () => {
    expect(await harness.call('LIST', '/v1/keymgmt/key/a')).toMatchObject({ status: 404, json: unsupportedPath });
    expect(await harness.call('LIST', '/v1/keymgmt')).toMatchObject({ status: 404, json: unsupportedPath });
  });
});

describe('trailing slashes', () => {
  test.each(['PUT', 'POST'])('%s to a path that ends in a slash is refused', async (method) => {
    const answer = await harness.call(method, '/v1/keymgmt/key/a/', { body: {} });
    expect(answer).toMatchObject({ status: 400, json: { errors: ["cannot write to a path ending in '/'"] } });
    expect(engine.things.size).toBe(0);
  });

  test.each(['GET', 'DELETE'])('%s of a path that ends in a slash finds nothing', async (method) => {
    await harness.call('PUT', '/v1/keymgmt/key/a');
    expect(await harness.call(method, '/v1/keymgmt/key/a/')).toMatchObject({ status: 404, json: unsupportedPath });
    expect((await harness.call('GET', '/v1/keymgmt/key/a')).status).toBe(200);
  });
});

describe('routing', () => {
  test.each([
    ['/v1/nope/key/a', 'nope/key/a'],
    ['/v1/keymgmtx/key/a', 'keymgmtx/key/a'],
    ['/v1/Keymgmt/key/a', 'Keymgmt/key/a'],
    ['/v1/team/key/a', 'team/key/a'],
    ['/v1/auth/ldap/login', 'auth/ldap/login'],
    ['/v1/systems', 'systems'],
  ])('%s belongs to no mount', async (path, named) => {
    const errors = [`no handler for route "${named}". route entry not found.`];
    expect(await harness.call('GET', path)).toMatchObject({ status: 404, json: { errors } });
  });

  test('a list of no mount is named with its slash', async () => {
    const errors = ['no handler for route "nope/". route entry not found.'];
    expect(await harness.call('LIST', '/v1/nope')).toMatchObject({ status: 404, json: { errors } });
  });

  test.each([
    '/v1/keymgmt',
    '/v1/keymgmt/nope',
    '/v1/keymgmt/Key/a',
    '/v1/keymgmt/key/a/b/c',
    '/v1/keymgmt/key/a.',
    '/v1/keymgmt/key/.a',
    '/v1/keymgmt/key/-a',
    '/v1/keymgmt/key/a%20b',
    '/v1/keymgmt/key/%C3%A9',
    '/v1/sys/nope',
    '/v1/sys',
    '/v1/auth/token/nope',
  ])('%s is an unsupported path', async (path) => {
    expect(await harness.call('GET', path)).toMatchObject({ status: 404, json: unsupportedPath });
  });

  test.each(['a', 'A_b-c.d', '_', '0', 'a'.repeat(300)])('"%s" is a name', async (name) => {
    expect((await harness.call('PUT', `/v1/keymgmt/key/${name}`)).status).toBe(204);
    expect((await harness.call('GET', `/v1/keymgmt/key/${name}`)).json.data).toEqual({ name });
  });

  test('the mount with the longest path gets the request', async () => {
    await harness.call('PUT', '/v1/team/a/keys/key/inner-key');
    await harness.call('PUT', '/v1/team/b/key/other-key');
    expect([...engine.things.keys()]).toEqual(['inner', 'other']);
    expect((await harness.call('GET', '/v1/team/b/key/inner-key')).status).toBe(404);
  });

  test('a mount whose engine is gone is unavailable, not absent', async () => {
    const orphan = createMemoryMountStore([sampleMount({ path: 'old/', type: 'transit' })]);
    const other = await createHarness({ engines: [], mounts: orphan });
    const errors = ['no engine of type "transit" is running'];
    expect(await other.call('GET', '/v1/old/keys/a')).toMatchObject({ status: 503, json: { errors } });
  });

  test('an engine is told who asks, where, and whether to hurry', async () => {
    await harness.call('GET', '/v1/keymgmt/key/a');
    await harness.call('GET', '/v1/team/b/key/a', { headers: { prefer: 'return=minimal, Respond-Async; wait=5' } });
    expect(engine.contexts).toMatchObject([
      {
        mount: { path: 'keymgmt/' },
        preferAsync: false,
        dryRun: false,
        caller: { accessor: 'root-accessor', displayName: 'root' },
      },
      { mount: { path: 'team/b/' }, preferAsync: true },
    ]);
    expect(JSON.stringify(engine.contexts)).not.toContain('hvs.');
  });
});

describe('help', () => {
  test.each([
    ['GET', '/v1/keymgmt/key/a?help=1'],
    ['HELP', '/v1/keymgmt/key/a'],
    ['PUT', '/v1/keymgmt/key/a?help=1'],
    ['DELETE', '/v1/keymgmt/key/a?help=true'],
  ])('%s %s explains and changes nothing', async (method, path) => {
    const { status, json } = await harness.call(method, path);
    expect(status).toBe(200);
    expect(json).toEqual({ help: expect.stringContaining('Keeps a key.') as string, see_also: [] });
    expect(json.help).toContain('type (string)\n        Type of the key.');
    expect(json.help).toContain('read, write, delete');
    expect(engine.things.size).toBe(0);
  });

  test('an empty ?help is none', async () => {
    await harness.call('PUT', '/v1/keymgmt/key/a');
    expect((await harness.call('GET', '/v1/keymgmt/key/a?help=')).json.data).toEqual({ name: 'a' });
  });

  test('needs a token, whatever its policies, and a path', async () => {
    expect((await harness.call('GET', '/v1/keymgmt/key/a?help=1', { token: plainToken })).status).toBe(200);
    expect((await harness.call('GET', '/v1/keymgmt/key/a?help=1', { token: null })).status).toBe(403);
    expect((await harness.call('GET', '/v1/keymgmt/nope?help=1')).json).toEqual(unsupportedPath);
  });
});
