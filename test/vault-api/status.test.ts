import { beforeAll, describe, expect, test } from 'vitest';
import { createVaultApi } from '../../src/vault-api/vault-api.ts';
import { clusterId, createHarness, type Harness, hostRequest, start } from './support/harness.ts';
import {
  createMemoryLoginRoleStore,
  createMemoryMountStore,
  createMemoryPolicyStore,
  createMemoryTokenStore,
} from './support/memory-stores.ts';
import { createMemoryDeadLetters } from '../support/memory-dead-letters.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await createHarness();
});

const health = {
  initialized: true,
  sealed: false,
  standby: false,
  performance_standby: false,
  replication_performance_mode: 'disabled',
  replication_dr_mode: 'disabled',
  server_time_utc: Math.floor(start.getTime() / 1000),
  version: '2.0.0+ent',
  enterprise: true,
  cluster_name: 'keyfleet-test',
  cluster_id: clusterId,
  echo_duration_ms: 0,
  clock_skew_ms: 0,
  replication_primary_canary_age_ms: 0,
};

test.each([
  [
    'seal-status',
    {
      type: 'shamir',
      initialized: true,
      sealed: false,
      t: 1,
      n: 1,
      progress: 0,
      nonce: '',
      version: '2.0.0+ent',
      build_date: '',
      migration: false,
      cluster_name: 'keyfleet-test',
      cluster_id: clusterId,
      recovery_seal: false,
      storage_type: 'azure',
    },
  ],
  [
    'leader',
    {
      ha_enabled: false,
      is_self: false,
      active_time: '0001-01-01T00:00:00Z',
      leader_address: '',
      leader_cluster_address: '',
      performance_standby: false,
      performance_standby_last_remote_wal: 0,
    },
  ],
  ['init', { initialized: true }],
  ['health', health],
])('sys/%s answers without an envelope', async (name, expected) => {
  const answer = await harness.call('GET', `/v1/sys/${name}`, { token: null });
  expect(answer.status).toBe(200);
  expect(answer.headers).toEqual({ 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  expect(answer.json).toEqual(expected);
});

describe('sys/health', () => {
  test('HEAD has the status and no body', async () => {
    const answer = await harness.call('HEAD', '/v1/sys/health?activecode=299', { token: null });
    expect(answer.status).toBe(299);
    expect(answer).not.toHaveProperty('body');
  });

  test('answers the overrides that the Go client sends', async () => {
    const names = [
      'uninitcode',
      'sealedcode',
      'standbycode',
      'drsecondarycode',
      'performancestandbycode',
      'removedcode',
      'haunhealthycode',
    ];
    const query = ['activecode', ...names].map((name) => `${name}=299`).join('&');
    expect(await harness.call('GET', `/v1/sys/health?${query}`)).toMatchObject({ status: 299, json: health });
  });

  test.each(['standbyok=true&perfstandbyok=true', 'sealedcode=599&standbycode=200', 'other=1'])(
    'is 200 with ?%s: none of it applies to an active node',
    async (query) => {
      expect((await harness.call('GET', `/v1/sys/health?${query}`)).status).toBe(200);
    },
  );

  test.each([
    'activecode=abc',
    'activecode=',
    'activecode=1000',
    'activecode=199',
    'sealedcode=600',
    'standbycode=2e2',
    'activecode=-200',
  ])('refuses ?%s, which is no status', async (query) => {
    expect(await harness.call('GET', `/v1/sys/health?${query}`)).toMatchObject({ status: 400, json: { errors: [] } });
  });
});

test('a community version is not called enterprise, and callers that cannot sign in are no secret', async () => {
  const api = createVaultApi({
    mounts: createMemoryMountStore(),
    tokens: createMemoryTokenStore(),
    policies: createMemoryPolicyStore(),
    loginRoles: createMemoryLoginRoleStore(),
    engines: [],
    deadLetters: createMemoryDeadLetters(),
    signIn: { reason: 'nobody can sign in' },
    version: '2.0.0',
    clusterName: 'c',
    clusterId,
    now: () => start,
    log: () => undefined,
  });
  const { body = '' } = await api.handle(hostRequest('GET', '/v1/sys/health'));
  expect(JSON.parse(body)).toMatchObject({ version: '2.0.0', enterprise: false, warnings: ['nobody can sign in'] });
});
