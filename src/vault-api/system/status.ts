import { KeyfleetError } from '../../errors.ts';
import type { CallerSignIn } from '../callers.ts';
import { jsonResponse, type VaultResponse } from '../protocol.ts';

type StatusEndpoint = (query: ReadonlyMap<string, string>) => VaultResponse;

export interface ServiceIdentity {
  version: string;
  clusterName: string;
  clusterId: string;
  signIn: CallerSignIn;
  now: () => Date;
}

/**
 * The endpoints that need no token and answer without an envelope, by path. A service that answers is unsealed and
 * active: there is nothing to unseal and no cluster.
 */
export function createStatusEndpoints(identity: ServiceIdentity): ReadonlyMap<string, StatusEndpoint> {
  const { version, clusterName: cluster_name, clusterId: cluster_id, signIn, now } = identity;
  const enterprise = /\+.*\bent\b/.test(version);

  return new Map<string, StatusEndpoint>([
    [
      'sys/seal-status',
      () =>
        jsonResponse(200, {
          type: 'shamir',
          initialized: true,
          sealed: false,
          t: 1,
          n: 1,
          progress: 0,
          nonce: '',
          version,
          build_date: '',
          migration: false,
          cluster_name,
          cluster_id,
          recovery_seal: false,
          storage_type: 'azure',
        }),
    ],
    [
      'sys/leader',
      () =>
        jsonResponse(200, {
          ha_enabled: false,
          is_self: false,
          active_time: '0001-01-01T00:00:00Z',
          leader_address: '',
          leader_cluster_address: '',
          performance_standby: false,
          performance_standby_last_remote_wal: 0,
        }),
    ],
    ['sys/init', () => jsonResponse(200, { initialized: true })],
    [
      'sys/health',
      (query) =>
        jsonResponse(healthStatus(query), {
          initialized: true,
          sealed: false,
          standby: false,
          performance_standby: false,
          replication_performance_mode: 'disabled',
          replication_dr_mode: 'disabled',
          server_time_utc: Math.floor(now().getTime() / 1000),
          version,
          enterprise,
          cluster_name,
          cluster_id,
          echo_duration_ms: 0,
          clock_skew_ms: 0,
          replication_primary_canary_age_ms: 0,
          // Not Vault's: what an operator has to know, though the service serves.
          ...(signIn.verify === undefined && { warnings: [signIn.reason] }),
        }),
    ],
  ]);
}

const statusOverrides = [
  'activecode',
  'standbycode',
  'drsecondarycode',
  'performancestandbycode',
  'sealedcode',
  'uninitcode',
  'removedcode',
  'haunhealthycode',
];

/** All overrides are checked, as in Vault, though only that of an active node can ever apply. */
function healthStatus(query: ReadonlyMap<string, string>): number {
  for (const name of statusOverrides) {
    const value = query.get(name);
    // The Functions host can answer with these statuses only.
    if (value !== undefined && !/^[2-5]\d\d$/.test(value)) throw new KeyfleetError('invalid_request', '');
  }
  return Number(query.get('activecode') ?? 200);
}
