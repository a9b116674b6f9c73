import { isDeepStrictEqual } from 'node:util';
import type { Mount, MountStore, MountTable } from '../../state/mounts.ts';
import { type BuiltinRoute, defineBuiltinRoute } from '../builtin.ts';
import { invalidRequest } from '../errors.ts';
import type { FieldSchema, FieldValues } from '../field-types.ts';
import { checkLeaseTtls, readLeaseTtl } from './lease-ttl.ts';
import { configFields, refuseUnsupportedSettings } from './mount-settings.ts';
import { changeMounts } from './mount-table.ts';
import { systemLeaseTtlSeconds } from './mount-view.ts';

const notSupported = 'Not supported.';

const tunableFields = {
  ...configFields,
  description: { type: 'string', description: 'Text for people.' },
  options: { type: 'pairs', description: 'Options of the secrets engine; they stay as they are.' },
} as const satisfies FieldSchema;

export interface TuneRouteOptions {
  mounts: Pick<MountStore, 'read' | 'replace'>;
  system: Mount;
}

/** `sys/mounts/:path/tune`. What can't be changed is refused and not dropped, since its author would believe it. */
export function createTuneRoute({ mounts, system }: TuneRouteOptions): BuiltinRoute {
  function find(table: MountTable, path: string): Mount {
    const mount = [...table.mounts, system].find((candidate) => candidate.path === path);
    if (mount === undefined) throw invalidRequest(`cannot fetch sysview for path "${path}"`);
    return mount;
  }

  return defineBuiltinRoute({
    path: 'mounts/*path/tune',
    synopsis: 'Reads or changes the settings of a mount.',
    fields: {
      ...tunableFields,
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
      const mount = find(await mounts.read(), `${parameters.path}/`);
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
      refuseUnsupportedSettings(new Map(Object.entries(fields)));
      await changeMounts(mounts, async (table) => {
        const mount = find(table, `${parameters.path}/`);
        if (mount.path === system.path) throw invalidRequest(`cannot tune "${mount.path}"`);
        const tuned = tune(mount, fields);
        return isDeepStrictEqual(tuned, mount) || mounts.replace(mount.path, tuned, table.revision);
      });
      return {};
    },
  });
}

/** @returns the mount with what was sent changed; what wasn't sent stays */
function tune(mount: Mount, fields: FieldValues<typeof tunableFields>): Mount {
  const { description, options = {}, default_lease_ttl, max_lease_ttl, force_no_cache } = fields;
  if (Object.entries(options).some(([name, value]) => mount.options?.[name] !== value)) {
    throw invalidRequest(`options cannot be changed while "${mount.path}" is mounted`);
  }
  const defaultLeaseTtlSeconds =
    default_lease_ttl === undefined ? mount.defaultLeaseTtlSeconds : readLeaseTtl('default', default_lease_ttl);
  const maxLeaseTtlSeconds =
    max_lease_ttl === undefined ? mount.maxLeaseTtlSeconds : readLeaseTtl('max', max_lease_ttl);
  checkLeaseTtls(defaultLeaseTtlSeconds, maxLeaseTtlSeconds);
  return {
    ...mount,
    description: description ?? mount.description,
    defaultLeaseTtlSeconds,
    maxLeaseTtlSeconds,
    forceNoCache: force_no_cache ?? mount.forceNoCache,
  };
}
