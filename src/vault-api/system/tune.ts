import type { Mount, MountStore } from '../../state/mounts.ts';
import { type BuiltinRoute, defineBuiltinRoute } from '../builtin.ts';
import { invalidRequest } from '../errors.ts';
import { readLeaseTtl } from './lease-ttl.ts';
import { configFields, refuseUnsupportedSettings } from './mount-settings.ts';
import { systemLeaseTtlSeconds } from './mount-view.ts';

const notSupported = 'Not supported.';

/**
 * `sys/mounts/:path/tune`. A mount keeps what it was enabled with: a write that asks for the same is accepted, one that
 * asks for something else is refused and not dropped, since its author would believe it.
 */
export function createTuneRoute({ mounts, system }: { mounts: Pick<MountStore, 'read'>; system: Mount }): BuiltinRoute {
  async function find(path: string): Promise<Mount> {
    const mount = [...(await mounts.read()).mounts, system].find((candidate) => candidate.path === path);
    if (mount === undefined) throw invalidRequest(`cannot fetch sysview for path "${path}"`);
    return mount;
  }

  return defineBuiltinRoute({
    path: 'mounts/*path/tune',
    synopsis: 'Reads the settings of a mount, or confirms them.',
    fields: {
      ...configFields,
      description: { type: 'string', description: 'Text for people.' },
      options: { type: 'pairs', description: 'Options of the secrets engine.' },
      allowed_managed_keys: { type: 'list', description: notSupported },
      allowed_response_headers: { type: 'list', description: notSupported },
      audit_non_hmac_request_keys: { type: 'list', description: notSupported },
      audit_non_hmac_response_keys: { type: 'list', description: notSupported },
      delegated_auth_accessors: { type: 'list', description: notSupported },
      identity_token_key: { type: 'string', description: notSupported },
      listing_visibility: { type: 'string', description: notSupported },
      passthrough_request_headers: { type: 'list', description: notSupported },
      plugin_version: { type: 'string', description: notSupported },
    },

    async read({ parameters }) {
      const mount = await find(`${parameters.path}/`);
      return {
        data: {
          description: mount.description,
          default_lease_ttl: mount.defaultLeaseTtlSeconds || systemLeaseTtlSeconds,
          max_lease_ttl: mount.maxLeaseTtlSeconds || systemLeaseTtlSeconds,
          force_no_cache: mount.forceNoCache,
          ...(mount.options === null ? {} : { options: mount.options }),
        },
        copyToTopLevel: true,
      };
    },

    async write({ parameters, fields }) {
      const mount = await find(`${parameters.path}/`);
      if (mount.path === system.path) throw invalidRequest(`cannot tune "${mount.path}"`);
      refuseUnsupportedSettings(new Map(Object.entries(fields)));

      const { description, options = {}, default_lease_ttl, max_lease_ttl, force_no_cache } = fields;
      const changes = {
        description: description !== undefined && description !== mount.description,
        options: Object.entries(options).some(([name, value]) => mount.options?.[name] !== value),
        default_lease_ttl:
          default_lease_ttl !== undefined &&
          readLeaseTtl('default', default_lease_ttl) !== mount.defaultLeaseTtlSeconds,
        max_lease_ttl: max_lease_ttl !== undefined && readLeaseTtl('max', max_lease_ttl) !== mount.maxLeaseTtlSeconds,
        force_no_cache: force_no_cache !== undefined && force_no_cache !== mount.forceNoCache,
      };
      for (const [name, changed] of Object.entries(changes)) {
        if (changed) throw invalidRequest(`${name} cannot be changed while "${mount.path}" is mounted`);
      }
      return {};
    },
  });
}
