import { KeyfleetError } from '../errors.ts';
import type { MountTable } from '../state/mounts.ts';
import type { Session } from './authentication.ts';
import type { BuiltinContext, BuiltinMount } from './builtin.ts';
import { type AnyRoute, callRoute, matchRoute } from './dispatch.ts';
import type { Engine, EngineContext } from './engine.ts';
import { renderReply } from './envelope.ts';
import { invalidRequest, missingToken, unknownMount, unsupportedPath } from './errors.ts';
import type { RawFields } from './field-types.ts';
import { renderHelp } from './help.ts';
import { longestMount } from './mount-paths.ts';
import type { RequestedOperation } from './operations.ts';
import type { VaultResponse } from './protocol.ts';

/** A request that has been admitted. */
export interface AdmittedRequest {
  requestId: string;
  operation: RequestedOperation;
  /** Canonical, without `v1/` and trailing slash. */
  path: string;
  trailingSlash: boolean;
  fields: RawFields;
  session: Session | undefined;
  preferAsync: boolean;
  dryRun: boolean;
  /** The mounts as policies saw them. */
  readMounts: () => Promise<MountTable>;
}

export interface RouterOptions {
  builtins: readonly BuiltinMount[];
  engines: readonly Engine[];
}

/** Takes admitted requests to the handler of the mount that has the longest matching path. */
export function createRouter({ builtins, engines }: RouterOptions) {
  const engineByType = new Map(engines.map((engine) => [engine.type, engine]));

  async function routeToEngine(request: AdmittedRequest): Promise<VaultResponse> {
    const { mounts: table } = await request.readMounts();
    const mount = longestMount(table, request.path);
    if (mount === undefined) throw unknownMount(routedPath(request));
    const engine = engineByType.get(mount.type);
    if (engine === undefined) throw new KeyfleetError('unavailable', `no engine of type "${mount.type}" is running`);
    const { session, requestId, preferAsync, dryRun } = request;
    if (session === undefined) throw missingToken();
    const { accessor, displayName } = session.record;
    const context: EngineContext = { mount, caller: { accessor, displayName }, requestId, preferAsync, dryRun };
    return answer(request, mount, engine.routes, context);
  }

  return {
    async route(request: AdmittedRequest): Promise<VaultResponse> {
      if (request.trailingSlash) refuseTrailingSlash(request.operation);
      const builtin = longestMount(builtins, request.path);
      if (builtin === undefined) return routeToEngine(request);
      return answer<BuiltinContext>(request, builtin, builtin.routes, { session: request.session });
    },
  };
}

/** The path as policies and messages have it: that of a list ends in a slash. */
export function routedPath({ path, operation }: Pick<AdmittedRequest, 'path' | 'operation'>): string {
  return operation === 'list' ? `${path}/` : path;
}

async function answer<Context>(
  { operation, path, requestId, ...wishes }: AdmittedRequest,
  mount: { path: string; type: string },
  routes: readonly AnyRoute<Context>[],
  context: Context,
): Promise<VaultResponse> {
  const matched = matchRoute(routes, path.slice(mount.path.length), operation);
  if (operation === 'help') return renderHelp(matched.route);
  return renderReply(await callRoute(matched, operation, wishes, context), requestId, mount.type);
}

function refuseTrailingSlash(operation: RequestedOperation): void {
  if (operation === 'write' || operation === 'patch') throw invalidRequest("cannot write to a path ending in '/'");
  if (operation === 'read' || operation === 'delete') throw unsupportedPath();
}
