import { type BuiltinRoute, defineBuiltinRoute } from '../builtin.ts';
import { invalidRequest } from '../errors.ts';
import { loginTtlSeconds } from '../login/login-backend.ts';
import { loginKinds } from '../login/login-kinds.ts';
import { maximumTokenTtlSeconds } from '../token-create.ts';
import { fixedMount, mountView } from './mount-view.ts';

/** `sys/auth`: the ways to sign in, which are the same everywhere. */
export function createAuthMountRoutes({ version, clusterId }: { version: string; clusterId: string }): BuiltinRoute[] {
  const login = { defaultLeaseTtlSeconds: loginTtlSeconds, maxLeaseTtlSeconds: maximumTokenTtlSeconds };
  const mounts = [
    ...Object.entries(loginKinds).map(([type, { description }]) => ({
      ...fixedMount(type, clusterId),
      description,
      ...login,
    })),
    { ...fixedMount('token', clusterId), description: 'token based credentials' },
  ].toSorted((left, right) => (left.path < right.path ? -1 : 1));
  const views = new Map(mounts.map((mount) => [mount.path, authView(mountView(mount, version))]));

  return [
    defineBuiltinRoute({
      path: 'auth',
      synopsis: 'Lists the ways to sign in.',
      fields: {},
      read: async () => ({ data: Object.fromEntries(views), copyToTopLevel: true }),
    }),
    defineBuiltinRoute({
      path: 'auth/*path',
      synopsis: 'Shows one way to sign in.',
      fields: {},
      async read({ parameters }) {
        const path = `${parameters.path}/`;
        const view = views.get(path);
        if (view === undefined) throw invalidRequest(`No auth engine at ${path}`);
        return { data: view, copyToTopLevel: true };
      },
    }),
  ];
}

function authView({ config, ...view }: Record<string, unknown>): Record<string, unknown> {
  return { ...view, config: { ...(config as object), token_type: 'default-service' } };
}
