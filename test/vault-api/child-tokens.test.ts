import { beforeEach, describe, expect, test } from 'vitest';
import { rootAcl } from '../../src/vault-api/policies/acl.ts';
import { makeToken } from '../../src/vault-api/token-create.ts';
import { createHarness, type Harness, start, tokenRecord } from './support/harness.ts';

let harness: Harness;

beforeEach(async () => {
  harness = await createHarness();
  const policy = 'path "auth/token/create" { capabilities = ["update"] }';
  const sudo = 'path "auth/token/create" { capabilities = ["update", "sudo"] }';
  await harness.call('PUT', '/v1/sys/policies/acl/maker', { body: { policy } });
  await harness.call('PUT', '/v1/sys/policies/acl/sudoer', { body: { policy: sudo } });
  const hour = { expireTime: new Date(start.getTime() + 3_600_000), renewable: true, creationTtlSeconds: 3600 };
  await harness.putToken('hvs.maker', { ...hour, policies: ['default', 'maker', 'ops'], accessor: 'maker' });
  await harness.putToken('hvs.bare', { ...hour, policies: ['maker'], accessor: 'bare' });
  await harness.putToken('hvs.sudoer', { ...hour, policies: ['sudoer'], accessor: 'sudoer' });
});

const create = (token: string, body: unknown) => harness.call('POST', '/v1/auth/token/create', { token, body });

describe('a child', () => {
  test.each<[string, unknown, string[]]>([
    ['hvs.maker', {}, ['default', 'maker', 'ops']],
    ['hvs.maker', { policies: ['ops'] }, ['default', 'ops']],
    ['hvs.maker', { policies: ['OPS'], no_default_policy: true }, ['ops']],
    ['hvs.bare', {}, ['maker']],
    // What the maker lacks, the child doesn't get by default either.
    ['hvs.bare', { policies: ['maker'] }, ['maker']],
    ['hvs.sudoer', { policies: ['ops'] }, ['default', 'ops']],
    ['hvs.sudoer', { policies: ['ops'], no_parent: true }, ['default', 'ops']],
    ['hvs.root-of-the-tests', { policies: ['root', 'ops'], no_parent: true }, ['ops', 'root']],
  ])('of %s from %j has %j', async (token, body, policies) => {
    expect((await create(token, body)).json.auth).toMatchObject({ policies });
  });

  test.each<[string, unknown, string]>([
    ['hvs.maker', { policies: ['other'] }, 'child policies must be subset of parent'],
    ['hvs.maker', { policies: ['ops', 'root'] }, 'child policies must be subset of parent'],
    ['hvs.bare', { policies: ['default'] }, 'child policies must be subset of parent'],
    ['hvs.sudoer', { policies: ['root'] }, 'root tokens may not be created without parent token being root'],
    ['hvs.sudoer', { policies: ['ROOT'] }, 'root tokens may not be created without parent token being root'],
    ['hvs.maker', { no_parent: true }, 'root or sudo privileges required to create orphan token'],
    ['hvs.maker', { policies: Array.from({ length: 101 }, () => 'ops') }, 'a token can have at most 100 policies'],
  ])('of %s from %j is refused', async (token, body, message) => {
    expect(await create(token, body)).toMatchObject({ status: 400, json: { errors: [message] } });
  });

  test('needs a policy that lets its maker make it', async () => {
    await harness.putToken('hvs.default', { policies: ['default'] });
    expect((await create('hvs.default', {})).status).toBe(403);
  });

  test('is gone with the last moment of its maker, never for ever', async () => {
    harness.clock.now = new Date(start.getTime() + 3_599_999);
    expect((await create('hvs.maker', {})).json.auth).toMatchObject({ lease_duration: 1 });
  });
});

test('a maker whose time is up makes no token for ever', () => {
  const record = { ...tokenRecord, expireTime: start };
  expect(makeToken({} as Parameters<typeof makeToken>[0], { record, acl: rootAcl }, 'accessor', start)).toMatchObject({
    creationTtlSeconds: 1,
    expireTime: new Date(start.getTime() + 1000),
  });
});

test('a renewal goes no further than the token was meant to live', async () => {
  const at = (seconds: number) => new Date(start.getTime() + seconds * 1000);
  await harness.putToken('hvs.limited', {
    policies: ['default'],
    renewable: true,
    creationTtlSeconds: 600,
    expireTime: at(600),
    maximumExpireTime: at(900),
  });
  const renew = (increment: string) =>
    harness.call('POST', '/v1/auth/token/renew-self', { token: 'hvs.limited', body: { increment } });
  harness.clock.now = at(500);
  expect((await renew('200s')).json.auth).toMatchObject({ lease_duration: 200 });
  expect((await renew('1h')).json.auth).toMatchObject({ lease_duration: 400 });
  harness.clock.now = at(899);
  expect((await renew('1h')).json.auth).toMatchObject({ lease_duration: 1 });
  harness.clock.now = at(900);
  expect((await renew('1h')).status).toBe(403);
});
