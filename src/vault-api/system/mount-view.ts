import { createHash } from 'node:crypto';
import type { Mount } from '../../state/mounts.ts';

/** Leases of mounts that set none: 32 days. */
export const systemLeaseTtlSeconds = 2_764_800;

/** A mount as `sys/mounts` shows it. */
export function mountView(mount: Mount, version: string): Record<string, unknown> {
  return {
    accessor: mount.accessor,
    config: {
      default_lease_ttl: mount.defaultLeaseTtlSeconds,
      force_no_cache: mount.forceNoCache,
      max_lease_ttl: mount.maxLeaseTtlSeconds,
    },
    deprecation_status: 'supported',
    description: mount.description,
    external_entropy_access: mount.externalEntropyAccess,
    local: mount.local,
    options: mount.options,
    plugin_version: '',
    running_plugin_version: `v${version}`,
    running_sha256: '',
    seal_wrap: mount.sealWrap,
    type: mount.type,
    uuid: mount.uuid,
  };
}

/**
 * The mount of the system's own endpoints, which is in no table. Vault's `cubbyhole/` and `identity/` have no
 * counterpart here and aren't listed: what is listed can be used.
 */
export function systemMount(clusterId: string): Mount {
  const description = 'system endpoints used for control, policy and debugging';
  return { ...fixedMount('system', clusterId), path: 'sys/', description, sealWrap: true };
}

/**
 * @param type not of a secrets engine
 * @returns a mount that is in no table, the same for as long as the cluster is
 */
export function fixedMount(type: string, clusterId: string): Mount {
  const digest = createHash('sha256').update(`${type} mount of ${clusterId}`).digest('hex');
  return {
    path: `${type}/`,
    type,
    uuid: digest.slice(8, 40).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    accessor: `${type}_${digest.slice(0, 8)}`,
    description: '',
    defaultLeaseTtlSeconds: 0,
    maxLeaseTtlSeconds: 0,
    forceNoCache: false,
    local: false,
    sealWrap: false,
    externalEntropyAccess: false,
    options: null,
  };
}
