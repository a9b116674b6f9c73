import type { DeadLetters } from '../../dead-letters.ts';
import type { MountStore } from '../../state/mounts.ts';
import type { PolicyStore } from '../../state/policies.ts';
import type { BuiltinMount } from '../builtin.ts';
import type { Engine } from '../engine.ts';
import { createAuthMountRoutes } from './auth-mounts.ts';
import { createCapabilitiesRoute } from './capabilities.ts';
import { createDeadLetterRoutes } from './dead-letters.ts';
import { systemMount } from './mount-view.ts';
import { createMountRoutes } from './mounts.ts';
import { createPolicyRoutes } from './policies.ts';
import { createRemountRoutes } from './remount.ts';
import { createTuneRoute } from './tune.ts';
import { createUiMountRoutes } from './ui-mounts.ts';

export interface SystemBackendOptions {
  mounts: MountStore;
  policies: PolicyStore;
  engines: readonly Engine[];
  deadLetters: DeadLetters;
  version: string;
  clusterId: string;
  newUuid: () => string;
}

/** Everything below `sys/` that needs a token or answers in an envelope. */
export function createSystemBackend({
  mounts,
  policies,
  engines,
  deadLetters,
  version,
  clusterId,
  newUuid,
}: SystemBackendOptions): BuiltinMount {
  const system = systemMount(clusterId);
  return {
    path: system.path,
    type: system.type,
    routes: [
      // Before the mounts, whose path parameter would take `/tune` for a part of it.
      createTuneRoute({ mounts, system }),
      ...createMountRoutes({ mounts, engines, version, newUuid, system }),
      ...createRemountRoutes({ mounts }),
      ...createUiMountRoutes({ mounts, version, system }),
      ...createPolicyRoutes({ policies }),
      ...createAuthMountRoutes({ version, clusterId }),
      createCapabilitiesRoute(),
      ...createDeadLetterRoutes({ deadLetters, mounts }),
    ],
  };
}
