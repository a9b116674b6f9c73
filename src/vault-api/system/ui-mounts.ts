import { KeyfleetError } from '../../errors.ts';
import type { Mount, MountStore } from '../../state/mounts.ts';
import { type BuiltinRoute, defineBuiltinRoute } from '../builtin.ts';
import { longestMount } from '../mount-paths.ts';
import { mountView } from './mount-view.ts';

export interface UiMountRoutesOptions {
  mounts: Pick<MountStore, 'read'>;
  version: string;
  system: Mount;
}

/** `sys/internal/ui/mounts`, by which the CLI finds out where a mount ends and which version of kv it speaks. */
export function createUiMountRoutes({ mounts, version, system }: UiMountRoutesOptions): BuiltinRoute[] {
  return [
    defineBuiltinRoute({
      path: 'internal/ui/mounts',
      synopsis: 'Lists the mounts that the caller can reach.',
      fields: {},
      async read({ session }) {
        const reachable = session === undefined ? [] : (await mounts.read()).mounts;
        const visible = reachable.filter(({ path }) => session?.acl.reaches(path) === true);
        const secret = Object.fromEntries(visible.map((mount) => [mount.path, mountView(mount, version)]));
        return { data: { auth: {}, secret } };
      },
    }),

    defineBuiltinRoute({
      path: 'internal/ui/mounts/*path',
      synopsis: 'Tells which mount a path belongs to.',
      fields: {},
      async read({ parameters, session }) {
        const { mounts: table } = await mounts.read();
        const mount = longestMount([...table, system], parameters.path);
        // One answer for both, so that it tells nobody what is mounted.
        if (mount === undefined || session?.acl.reaches(mount.path) !== true) {
          throw new KeyfleetError(
            'permission_denied',
            `preflight capability check returned 403, please ensure client's policies grant access to path "${parameters.path}/"`,
          );
        }
        return { data: { ...mountView(mount, version), path: mount.path } };
      },
    }),
  ];
}
