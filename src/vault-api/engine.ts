import type { Mount } from '../state/mounts.ts';
import type { FieldSchema, FieldValues } from './field-types.ts';
import type { PathParameters } from './route-path.ts';

/** Who asks, without the token itself. */
export interface Caller {
  accessor: string;
  displayName: string;
}

/** What every handler of an engine is told besides its parameters and fields. */
export interface EngineContext {
  mount: Mount;
  caller: Caller;
  /** The `request_id` of the reply. */
  requestId: string;
  /** The client asked not to be kept waiting (`Prefer: respond-async`, RFC 7240). */
  preferAsync: boolean;
  /** Only at routes that support it: the caller wants to know what would change, and nothing may change. */
  dryRun: boolean;
}

export type RouteRequest<Path extends string, Schema extends FieldSchema, Context> = Context & {
  /** What stands in the path at `:name` and `*name`. */
  parameters: PathParameters<Path>;
  fields: FieldValues<Schema>;
};

/** Neither data nor warnings: 204. Either of them: 200. */
export interface Reply {
  data?: Record<string, unknown>;
  warnings?: readonly string[];
  /**
   * Answers 404 all the same. `with-content`: what there is to say about something that is gone, which clients take for
   * a result. `empty`: no body at all.
   */
  notFound?: 'with-content' | 'empty';
}

export interface ListReply {
  /** Answered in ascending order; none is a 404, as in Vault. */
  keys: readonly string[];
  /** Details by key, for `vault list -detailed`. */
  keyInfo?: Record<string, unknown>;
  warnings?: readonly string[];
}

/**
 * One endpoint. A missing handler is a 405 (for lists a 404). Handlers refuse by throwing a KeyfleetError, whose message
 * reaches the caller; the message of a `not_found` does so on writes only, because 404 on a read means "nothing there".
 */
export interface RouteOf<Path extends string, Schema extends FieldSchema, Context, Answer extends Reply> {
  /**
   * Relative to the mount, e.g. `kms/:name/key/:key_name`. `:name` takes one segment that is a Vault name, `*name` one
   * or more segments of anything. Parameters are named as on the wire, since a field of that name gives way to them.
   * The first route of an engine that matches is taken.
   */
  path: Path;
  /** One sentence for `?help=1`. */
  synopsis: string;
  /** Taken from the JSON body of a write, else from the query. */
  fields: Schema;
  /** Its handlers that change something mind `dryRun`; at all other routes a request with that wish is refused. */
  supportsDryRun?: true;
  /** Undefined is a 404. */
  read?(request: RouteRequest<Path, Schema, Context>): Promise<Answer | undefined>;
  list?(request: RouteRequest<Path, Schema, Context>): Promise<ListReply>;
  /** A merge patch (RFC 7396): its media type has been checked. */
  patch?(request: RouteRequest<Path, Schema, Context>): Promise<Answer>;
  /** PUT and POST alike. */
  write?(request: RouteRequest<Path, Schema, Context>): Promise<Answer>;
  delete?(request: RouteRequest<Path, Schema, Context>): Promise<Answer>;
}

export type Route = RouteOf<string, FieldSchema, EngineContext, Reply>;

/** Gives a route's handlers the types of its own parameters and fields. */
export function defineRoute<const Path extends string, const Schema extends FieldSchema>(
  route: RouteOf<Path, Schema, EngineContext, Reply>,
): Route {
  return route;
}

/** A secrets engine, as the protocol sees it. One instance serves every mount of its type. */
export interface Engine {
  /** As in `vault secrets enable <type>`. */
  type: string;
  routes: readonly Route[];
  /** Other names of the type, each with the options it stands for: `kv-v2`. */
  aliases?: Readonly<Record<string, Record<string, string>>>;
  /**
   * Options to keep for a new mount. An engine without this has no versions to choose from.
   * @throws KeyfleetError `invalid_request`
   */
  mountOptions?(given: Readonly<Record<string, string>>): Record<string, string>;
  /**
   * Asked before a mount is disabled; may be asked again for the same mount.
   * @throws KeyfleetError to keep the mount, e.g. while keys are distributed
   */
  beforeDisable?(mount: Mount): Promise<void>;
  /** Deletes all data of the mount, before the mount itself goes; done again if that failed. */
  removeAll?(mount: Mount): Promise<void>;
}
