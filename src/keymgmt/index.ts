import { createAnnouncer } from '../reconcile/intents.ts';
import type { CheckSchedule } from '../reconcile/drift/schedule.ts';
import type { Targets } from '../reconcile/target.ts';
import type { Messaging } from '../messaging/index.ts';
import type { State } from '../state/index.ts';
import { createDistributions, type Distributions } from './distributions.ts';
import type { GenerateKeyPair } from './key-generation.ts';
import { createKeys, type Keys } from './keys.ts';
import { createPreviews, type Previews } from './previews.ts';
import { createProviders, type Providers } from './providers.ts';
import { createStatus, type ProviderStatus, type StatusPage } from './status.ts';
import type { ProviderReference } from '../state/providers.ts';
import { createSettlement } from './settlement.ts';
import { createVaultChecks } from './vault-checks.ts';

/** The Key Management engine: keys, the vaults they go to, and their copies there. */
export interface KeyManagement {
  keys: Keys;
  providers: Providers;
  distributions: Distributions;
  previews: Previews;
  /** What is known of a provider's vault. Undefined if there is no such provider. */
  status: (reference: ProviderReference, page: StatusPage) => Promise<ProviderStatus | undefined>;
}

export interface KeyManagementOptions {
  state: Pick<State, 'keys' | 'providers' | 'inspections' | 'names' | 'vaultNames' | 'intents'>;
  messaging: Messaging;
  targets: Targets;
  checkSchedule: CheckSchedule;
  generateKeyPair: GenerateKeyPair;
  /** How long a request waits for the vaults to agree. */
  waitSeconds: number;
  now: () => Date;
}

export function createKeyManagement(options: KeyManagementOptions): KeyManagement {
  const { state, messaging, targets, checkSchedule, generateKeyPair, waitSeconds, now } = options;
  const { keys, providers, names, vaultNames } = state;
  const announcer = createAnnouncer({ intents: state.intents, messaging, now });
  const settlement = createSettlement({ keys, waitSeconds });
  const checkVaults = createVaultChecks({ providers, targets });
  return {
    keys: createKeys({ keys, names, announcer, checkVaults, settlement, generateKeyPair, now }),
    providers: createProviders({ checkSchedule, providers, keys, names, announcer, targets, now }),
    status: createStatus({ ...state, now }),
    distributions: createDistributions({ keys, providers, vaultNames, announcer, settlement, now }),
    previews: createPreviews({ keys, providers, targets, checkVaults, now }),
  };
}
