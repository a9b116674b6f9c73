import { beforeEach, describe, expect, test } from 'vitest';
import { defineRoute, type Engine } from '../../src/vault-api/engine.ts';
import { createHarness, plainToken, sampleMount, type CallOptions, type Harness } from './support/harness.ts';
import { createMemoryMountStore } from './support/memory-stores.ts';
import { createSampleEngine, type SampleEngine } from './support/sample-engine.ts';

/** What the handlers of an engine that knows dry runs were asked, in order. */
let asked: { operation: string; dryRun: boolean; fields: unknown }[];
let unaware: SampleEngine;
let harness: Harness;

beforeEach(async () => {
  asked = [];
  unaware = createSampleEngine('kv');
  const noted = (operation: string) => async (request: { dryRun: boolean; fields: unknown }) => {
    asked.push({ operation, dryRun: request.dryRun, fields: request.fields });
    return { data: {} };
  };
  const aware: Engine = {
    type: 'keymgmt',
    routes: [
      defineRoute({
        path: 'thing/:name',
        synopsis: 'A thing.',
        fields: { size: { type: 'integer', description: 'Its size.' } },
        supportsDryRun: true,
        read: noted('read'),
        write: noted('write'),
        patch: noted('patch'),
        delete: noted('delete'),
      }),
    ],
  };
  const mounts = [sampleMount(), sampleMount({ path: 'secret/', type: 'kv', uuid: 'secret' })];
  harness = await createHarness({ engines: [aware, unaware], mounts: createMemoryMountStore(mounts) });
});

const thing = '/v1/keymgmt/thing/a';
const patchType = { 'content-type': 'application/merge-patch+json' };

describe('a request that asks for a dry run', () => {
  test.each<[wish: string, method: string, query: string, options: CallOptions]>([
    ['in the query of a write', 'POST', '?dry_run=true', { body: { size: 1 } }],
    ['in the query of a write without a body', 'PUT', '?dry_run=1', {}],
    ['in the query of a patch', 'PATCH', '?dry_run=T', { body: { size: 1 }, headers: patchType }],
    ['in the query of a delete', 'DELETE', '?dry_run=True', {}],
    ['in the body', 'POST', '', { body: { size: 1, dry_run: true } }],
    ['in the body, as the CLI writes it', 'PUT', '', { body: { dry_run: 'true' } }],
    ['as a number', 'PUT', '', { body: { dry_run: 1 } }],
    ['here, though not there', 'POST', '?dry_run=false', { body: { dry_run: true } }],
    ['there, though not here', 'POST', '?dry_run=true', { body: { dry_run: false } }],
  ])('%s is one, and the wish is no field', async (_wish, method, query, options) => {
    const { status, json } = await harness.call(method, thing + query, options);
    expect({ status, warnings: json.warnings }).toEqual({ status: 200, warnings: null });
    expect(asked).toMatchObject([{ dryRun: true }]);
  });

  test.each<[wish: string, method: string, query: string, options: CallOptions]>([
    ['says no', 'POST', '?dry_run=false', {}],
    ['says no in its body', 'POST', '', { body: { dry_run: 'f' } }],
    ['leaves it open', 'POST', '', { body: { dry_run: null } }],
    ['deletes', 'DELETE', '?dry_run=0', {}],
  ])('but %s is none', async (_wish, method, query, options) => {
    expect(await harness.call(method, thing + query, options)).toMatchObject({ status: 200 });
    expect(asked).toMatchObject([{ dryRun: false }]);
  });

  test.each<[wish: string, method: string, query: string, options: CallOptions]>([
    ['in other words', 'POST', '?dry_run=maybe', {}],
    ['without a value', 'DELETE', '?dry_run', {}],
    ['with an empty value', 'POST', '?dry_run=', {}],
    ['in capitals of its own', 'POST', '?dry_run=tRue', {}],
    ['with other words in the body', 'POST', '', { body: { dry_run: 'yes' } }],
    ['with a list', 'POST', '', { body: { dry_run: [true] } }],
    ['with a bad body, though the query is good', 'POST', '?dry_run=true', { body: { dry_run: 2 } }],
  ])('%s is refused before anything happens', async (_wish, method, query, options) => {
    const { status, json } = await harness.call(method, thing + query, options);
    expect(status).toBe(400);
    expect(json.errors).toEqual([expect.stringContaining('"dry_run": expected a boolean')]);
    expect(asked).toEqual([]);
  });

  test('twice is refused', async () => {
    expect(await harness.call('POST', `${thing}?dry_run=true&dry_run=false`)).toMatchObject({ status: 400 });
    expect(asked).toEqual([]);
  });

  test('has the same fields refused', async () => {
    const real = await harness.call('POST', thing, { body: { size: 'big' } });
    const dry = await harness.call('POST', `${thing}?dry_run=true`, { body: { size: 'big' } });
    expect(dry).toMatchObject({ status: 400, json: real.json });
  });

  test('needs what the real one needs', async () => {
    const call = (query: string) => harness.call('DELETE', thing + query, { token: plainToken });
    const real = await call('');
    expect(real.status).toBe(403);
    expect(await call('?dry_run=true')).toMatchObject({ status: 403, json: real.json });
    expect(await call('?dry_run=maybe')).toMatchObject({ status: 403, json: real.json });
    expect(asked).toEqual([]);
  });
});

describe('where dry runs are unknown', () => {
  const rows: [method: string, target: string, body?: unknown][] = [
    ['POST', '/v1/secret/key/new'],
    ['DELETE', '/v1/secret/key/kept'],
    ['POST', '/v1/sys/mounts/other', { type: 'kv' }],
    ['DELETE', '/v1/sys/mounts/secret'],
    ['POST', '/v1/sys/remount', { from: 'secret', to: 'elsewhere' }],
    ['POST', '/v1/sys/mounts/secret/tune', { description: 'changed' }],
    ['PUT', '/v1/sys/policies/acl/new', { policy: 'path "a" {}' }],
    ['DELETE', '/v1/sys/policies/acl/kept'],
    ['POST', '/v1/auth/token/create', {}],
    ['POST', '/v1/auth/token/revoke-self'],
    ['POST', '/v1/auth/jwt/role/new', { bound_audiences: 'a', token_policies: 'default' }],
    ['POST', '/v1/auth/jwt/login', { role: 'r', jwt: 'a.b.c' }],
  ];

  test.each(rows)('%s %s is refused, wherever the wish stands, and does nothing', async (method, target, body) => {
    unaware.things.set('secret', new Set(['kept']));
    await harness.call('PUT', '/v1/sys/policies/acl/kept', { body: { policy: 'path "b" {}' } });
    const look = async () => ({
      mounts: (await harness.mounts.read()).mounts,
      policies: (await harness.call('LIST', '/v1/sys/policies/acl')).json.data,
      roles: (await harness.call('LIST', '/v1/auth/jwt/role')).json.data,
      token: (await harness.call('GET', '/v1/auth/token/lookup-self')).json.data,
      things: [...(unaware.things.get('secret') ?? [])],
    });
    const before = await look();
    const answers = [
      await harness.call(method, `${target}?dry_run=true`, { body }),
      ...(method === 'DELETE'
        ? []
        : [await harness.call(method, target, { body: { ...Object(body), dry_run: true } })]),
    ];
    for (const { status, json } of answers) {
      expect({ status, ...json }).toEqual({
        status: 400,
        errors: ['dry_run is not supported here, so nothing was done'],
      });
    }
    expect(await look()).toEqual(before);
  });

  test('what is no request there stays none', async () => {
    expect(await harness.call('PUT', '/v1/sys/mounts?dry_run=true')).toMatchObject({ status: 405 });
    expect(await harness.call('PUT', '/v1/sys/no/such?dry_run=true')).toMatchObject({ status: 404 });
    expect(await harness.call('PUT', '/v1/nowhere/x?dry_run=true')).toMatchObject({ status: 404 });
  });
});

test.each(['true', 'maybe', ''])('a read with dry_run=%s is a read', async (value) => {
  expect(await harness.call('GET', `${thing}?dry_run=${value}`)).toMatchObject({ status: 200 });
  expect(asked).toMatchObject([{ operation: 'read', dryRun: false }]);
  expect(await harness.call('LIST', `/v1/sys/policies/acl?dry_run=${value}`)).toMatchObject({ status: 200 });
});

test('help says where it is supported', async () => {
  const help = async (path: string) => (await harness.call('GET', `/v1/${path}?help=1`)).json.help;
  expect(await help('keymgmt/thing/a')).toContain('dry_run=true');
  expect(await help('secret/key/a')).not.toContain('dry_run');
});
