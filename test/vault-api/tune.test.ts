import { beforeEach, describe, expect, test } from 'vitest';
import type { MountStore } from '../../src/state/mounts.ts';
import { type Answer, createHarness, type Harness } from './support/harness.ts';
import { createMemoryMountStore } from './support/memory-stores.ts';
import { createSampleEngine } from './support/sample-engine.ts';

let mounts: MountStore;
let harness: Harness;

beforeEach(async () => {
  mounts = createMemoryMountStore();
  harness = await createHarness({ engines: [createSampleEngine()], mounts });
});

function errorsOf({ status, json }: Answer): unknown {
  return { status, errors: json.errors };
}

const enable = (path: string, body: unknown) => harness.call('POST', `/v1/sys/mounts/${path}`, { body });

describe('tuning', () => {
  beforeEach(() =>
    enable('keymgmt', { type: 'keymgmt', description: 'd', options: { a: 'b' }, config: { max_lease_ttl: '2h' } }),
  );

  test('shows the lease times in effect', async () => {
    const { status, json } = await harness.call('GET', '/v1/sys/mounts/keymgmt/tune');
    const tuned = {
      description: 'd',
      default_lease_ttl: 2_764_800,
      max_lease_ttl: 7200,
      force_no_cache: false,
      options: { a: 'b' },
    };
    expect(status).toBe(200);
    expect(json.data).toEqual(tuned);
    expect(json).toMatchObject(tuned);
    const system = await harness.call('GET', '/v1/sys/mounts/sys/tune');
    expect(system.json.data).not.toHaveProperty('options');
  });

  test.each<unknown[]>([
    [{}],
    [null],
    [{ description: 'd', max_lease_ttl: '7200', default_lease_ttl: '0s', options: {}, force_no_cache: false }],
    [{ max_lease_ttl: 7200, default_lease_ttl: 'system', options: { a: 'b' }, listing_visibility: 'hidden' }],
  ])('to what it is: %j', async (body) => {
    expect((await harness.call('POST', '/v1/sys/mounts/keymgmt/tune', { body })).status).toBe(204);
  });

  test.each<[object, object]>([
    [{ description: 'e' }, { description: 'e' }],
    [{ description: '' }, { description: '' }],
    [{ max_lease_ttl: '0s' }, { config: { default_lease_ttl: 0, max_lease_ttl: 0, force_no_cache: false } }],
    [{ default_lease_ttl: '1h' }, { config: { default_lease_ttl: 3600, max_lease_ttl: 7200, force_no_cache: false } }],
    [{ force_no_cache: true }, { config: { default_lease_ttl: 0, max_lease_ttl: 7200, force_no_cache: true } }],
  ])('to something else: %j', async (body, changed) => {
    const before = (await harness.call('GET', '/v1/sys/mounts/keymgmt')).json.data as object;
    expect((await harness.call('POST', '/v1/sys/mounts/keymgmt/tune', { body })).status).toBe(204);
    expect((await harness.call('GET', '/v1/sys/mounts/keymgmt')).json.data).toEqual({ ...before, ...changed });
  });

  test('two at a time both take effect', async () => {
    const tune = (body: object) => harness.call('POST', '/v1/sys/mounts/keymgmt/tune', { body });
    await Promise.all([tune({ description: 'e' }), tune({ max_lease_ttl: '3h' })]);
    expect((await mounts.read()).mounts).toMatchObject([{ description: 'e', maxLeaseTtlSeconds: 10_800 }]);
  });

  test.each<[unknown, string]>([
    [{ default_lease_ttl: '3h' }, 'given default lease TTL greater than given max lease TTL'],
    [
      { max_lease_ttl: '0s', default_lease_ttl: '40d' },
      'given default lease TTL greater than system max lease TTL of 2764800',
    ],
    [{ options: { a: 'c' } }, 'options cannot be changed while "keymgmt/" is mounted'],
    [{ options: { toString: 'c' } }, 'options cannot be changed while "keymgmt/" is mounted'],
    [{ default_lease_ttl: 'soon' }, 'unable to parse default TTL of soon'],
    [{ allowed_response_headers: 'a,b' }, 'allowed_response_headers is not supported'],
  ])('to what it cannot be is refused: %j', async (body, message) => {
    const answer = await harness.call('POST', '/v1/sys/mounts/keymgmt/tune', { body });
    expect(errorsOf(answer)).toEqual({ status: 400, errors: [message] });
  });

  test.each(['GET', 'POST'])('%s needs a mount', async (method) => {
    const answer = await harness.call(method, '/v1/sys/mounts/nope/tune');
    expect(errorsOf(answer)).toEqual({ status: 400, errors: ['cannot fetch sysview for path "nope/"'] });
  });

  test('the system is refused', async () => {
    const answer = await harness.call('POST', '/v1/sys/mounts/sys/tune', { body: {} });
    expect(errorsOf(answer)).toEqual({ status: 400, errors: ['cannot tune "sys/"'] });
  });
});
