import type { Session } from './authentication.ts';
import type { Reply, RouteOf } from './engine.ts';
import type { FieldSchema } from './field-types.ts';

/** What handlers of the protocol's own endpoints are told. */
export interface BuiltinContext {
  /** Undefined only at endpoints that need no token. */
  session: Session | undefined;
}

/** The `auth` of an envelope. */
export interface AuthReply {
  client_token: string;
  accessor: string;
  policies: readonly string[];
  token_policies: readonly string[];
  identity_policies: null;
  metadata: Record<string, string> | null;
  lease_duration: number;
  renewable: boolean;
  entity_id: '';
  token_type: 'service';
  orphan: boolean;
  mfa_requirement: null;
  num_uses: 0;
}

export interface BuiltinReply extends Reply {
  auth?: AuthReply;
  /** Vault repeats the data of some `sys/` endpoints beside the envelope's own fields; old clients read it there. */
  copyToTopLevel?: boolean;
}

export type BuiltinRoute = RouteOf<string, FieldSchema, BuiltinContext, BuiltinReply>;

/** A mount that always exists and is in no table. */
export interface BuiltinMount {
  path: string;
  type: string;
  routes: readonly BuiltinRoute[];
}

export function defineBuiltinRoute<const Path extends string, const Schema extends FieldSchema>(
  route: RouteOf<Path, Schema, BuiltinContext, BuiltinReply>,
): BuiltinRoute {
  return route;
}
