import { randomBytes } from 'node:crypto';
import type { Mount, MountStore } from '../../state/mounts.ts';
import { type BuiltinRoute, defineBuiltinRoute } from '../builtin.ts';
import type { Engine } from '../engine.ts';
import { invalidRequest } from '../errors.ts';
import { convertFields } from '../fields.ts';
import { checkLeaseTtls, readLeaseTtl } from './lease-ttl.ts';
import { newMountPath } from './mount-path.ts';
import { configFields, refuseUnsupportedSettings } from './mount-settings.ts';
import { createMountTable } from './mount-table.ts';
import { mountView } from './mount-view.ts';

export interface MountRoutesOptions {
  mounts: MountStore;
  engines: readonly Engine[];
  version: string;
  newUuid: () => string;
  /** The mount `sys/`, which is in no table. */
  system: Mount;
}

/** `sys/mounts` and `sys/mounts/:path`. */
export function createMountRoutes({ mounts, engines, version, newUuid, system }: MountRoutesOptions): BuiltinRoute[] {
  const table = createMountTable({ mounts, engines });

  return [
    defineBuiltinRoute({
      path: 'mounts',
      synopsis: 'Lists the mounted secrets engines.',
      fields: {},
      async read() {
        const all = [...(await mounts.read()).mounts, system].toSorted((a, b) => (a.path < b.path ? -1 : 1));
        return {
          data: Object.fromEntries(all.map((mount) => [mount.path, mountView(mount, version)])),
          copyToTopLevel: true,
        };
      },
    }),

    defineBuiltinRoute({
      path: 'mounts/*path',
      synopsis: 'Reads, enables or disables the secrets engine at a path.',
      fields: {
        type: { type: 'string', description: 'Type of the secrets engine, e.g. keymgmt.' },
        description: { type: 'string', description: 'Text for people.' },
        config: { type: 'map', description: 'default_lease_ttl, max_lease_ttl and force_no_cache.' },
        options: { type: 'pairs', description: 'Options of the secrets engine.' },
        local: { type: 'boolean', description: 'Kept and shown; nothing here is replicated.' },
        seal_wrap: { type: 'boolean', description: 'Kept and shown; everything secret is encrypted anyway.' },
        external_entropy_access: { type: 'boolean', description: 'Kept and shown.' },
        plugin_name: { type: 'string', description: 'Ignored: engines are part of the service.' },
        plugin_version: { type: 'string', description: 'Refused: engines are part of the service.' },
      },

      async read({ parameters }) {
        const path = `${parameters.path}/`;
        const mount = [...(await mounts.read()).mounts, system].find((candidate) => candidate.path === path);
        if (mount === undefined) throw invalidRequest(`No secret engine mount at ${path}`);
        return { data: mountView(mount, version), copyToTopLevel: true };
      },

      async write({ parameters, fields }) {
        const path = newMountPath(parameters.path);
        const { type = '', options = {}, plugin_version } = fields;
        const sentConfig = new Map(Object.entries(fields.config ?? {}));
        const config = convertFields(configFields, sentConfig);
        refuseUnsupportedSettings(new Map([['plugin_version', plugin_version], ...sentConfig]));
        const defaultLeaseTtlSeconds = readLeaseTtl('default', config.default_lease_ttl);
        const maxLeaseTtlSeconds = readLeaseTtl('max', config.max_lease_ttl);
        checkLeaseTtls(defaultLeaseTtlSeconds, maxLeaseTtlSeconds);
        if (type === '') throw invalidRequest('backend type must be specified as a string');
        const engine = engines.find((candidate) => candidate.type === type || candidate.aliases?.[type] !== undefined);
        if (engine === undefined) throw invalidRequest(`plugin not found in the catalog: ${type}`);
        const kept = keptOptions(engine, type, options);

        await table.enable({
          path,
          type: engine.type,
          uuid: newUuid(),
          accessor: `${engine.type}_${randomBytes(4).toString('hex')}`,
          description: fields.description ?? '',
          defaultLeaseTtlSeconds,
          maxLeaseTtlSeconds,
          forceNoCache: config.force_no_cache ?? false,
          local: fields.local ?? false,
          sealWrap: fields.seal_wrap ?? false,
          externalEntropyAccess: fields.external_entropy_access ?? false,
          options: Object.keys(kept).length === 0 ? null : kept,
        });
        return {};
      },

      async delete({ parameters }) {
        const path = `${parameters.path}/`;
        if (path === system.path) throw invalidRequest(`cannot unmount "${path}"`);
        await table.disable(path);
        return {};
      },
    }),
  ];
}

function keptOptions(engine: Engine, type: string, given: Record<string, string>): Record<string, string> {
  if (engine.mountOptions !== undefined) return engine.mountOptions({ ...given, ...engine.aliases?.[type] });
  if (given.version) throw invalidRequest(`secrets engine "${type}" does not allow setting a version`);
  return given;
}
