import type { DeadLetters } from '../dead-letters.ts';
import type { LoginRoleStore } from '../state/login-roles.ts';
import type { MountStore } from '../state/mounts.ts';
import type { PolicyStore } from '../state/policies.ts';
import type { TokenStore } from '../state/tokens.ts';
import type { BuiltinMount } from './builtin.ts';
import type { CallerSignIn } from './callers.ts';
import type { Engine } from './engine.ts';
import { createLoginBackend } from './login/login-backend.ts';
import { createSystemBackend } from './system/system-backend.ts';
import { createTokenBackend } from './token-backend.ts';

export interface BuiltinsOptions {
  mounts: MountStore;
  tokens: TokenStore;
  policies: PolicyStore;
  loginRoles: LoginRoleStore;
  engines: readonly Engine[];
  deadLetters: DeadLetters;
  signIn: CallerSignIn;
  /** As `sys/seal-status` reports it. Clients read it as strict semver and switch features by it: `2.0.0+ent`. */
  version: string;
  /** Stays the same for as long as the service's data does. */
  clusterId: string;
  now: () => Date;
  newUuid: () => string;
}

/** The mounts that always exist, with every route of the protocol itself. */
export function createBuiltins(options: BuiltinsOptions): BuiltinMount[] {
  return [
    createSystemBackend(options),
    createTokenBackend(options),
    createLoginBackend({ ...options, kind: 'jwt' }),
    createLoginBackend({ ...options, kind: 'azure' }),
  ];
}
