import { createHash, randomUUID } from 'node:crypto';
import { KeyfleetError } from './errors.ts';
import { createClouds } from './identity/clouds.ts';
import { createServiceCredential } from './identity/credentials.ts';
import { createSignIn } from './identity/sign-in.ts';
import { createRootKey } from './key-vault/root-key.ts';
import { createAgreement } from './keymgmt/agreement.ts';
import { createKeyPairGenerator } from './keymgmt/key-generation.ts';
import { createKeyPoolFilling } from './keymgmt/key-pool-filling.ts';
import { createPooledGeneration } from './keymgmt/key-pool.ts';
import { createKeyManagement } from './keymgmt/index.ts';
import { createKeyValue } from './kv/index.ts';
import { createDeadLetters, createMessaging, decodeMessage } from './messaging/index.ts';
import { createLook } from './reconcile/drift/look.ts';
import { createGovernor, systemClock } from './reconcile/governor/index.ts';
import { createDriftPass } from './reconcile/drift/pass.ts';
import { createCheckSchedule } from './reconcile/drift/schedule.ts';
import { createVersionImporter } from './reconcile/import-version.ts';
import { createLeases } from './reconcile/leases.ts';
import { createAnnouncer } from './reconcile/intents.ts';
import { createReconciler } from './reconcile/reconciler.ts';
import { createStepRunner } from './reconcile/steps.ts';
import { createSweep } from './reconcile/sweep.ts';
import { readSettings } from './settings.ts';
import { azureTables, createState, type State } from './state/index.ts';
import { createTargets } from './targets.ts';
import { createExistenceChecks } from './vault-api/engines/existence.ts';
import { createKeyManagementEngine } from './vault-api/engines/keymgmt.ts';
import { createKeyValueEngine } from './vault-api/engines/kv.ts';
import type { Log } from './vault-api/log.ts';
import { createVaultApi, type VaultApi } from './vault-api/vault-api.ts';

/** What the triggers call. */
export interface App {
  vaultApi: VaultApi;
  state: State;
  /** @param body of a message of the distribution queue. @throws KeyfleetError `invalid_request` for a foreign one */
  handleDistributionMessage(body: unknown): Promise<void>;
  /** Finds the work that nobody was woken for. */
  sweep(): Promise<void>;
  /** Brings the pool of key pairs to its size. @param signal once aborted, nothing is begun any more */
  fillKeyPool(signal: AbortSignal): Promise<void>;
}

/** How the app tells operators what nobody else is told. */
export interface Logging {
  log: Log;
  /** @param message fixed text */
  report: (message: string, error: unknown) => void;
}

/** What clients switch features by: at least Vault 2.0, Enterprise. */
const vaultVersion = '2.0.0+ent';

/**
 * Wires the rooms together. Makes no request.
 * @throws KeyfleetError `unavailable` if the settings don't suffice
 */
export function createApp(environment: Record<string, string | undefined>, { log, report }: Logging): App {
  const settings = readSettings(environment);
  const now = () => new Date();

  const credential = createServiceCredential(settings.identityClientId);
  const rootKey = createRootKey({ vaultUrl: settings.homeVaultUrl, keyName: settings.rootKeyName, credential });
  const openTable = azureTables({ endpoint: settings.tablesEndpoint, credential });
  const state = createState({ openTable, rootKey, now });
  const messaging = createMessaging({ fullyQualifiedNamespace: settings.serviceBusNamespace, credential });
  const clouds = createClouds(settings.clouds);
  const targets = createTargets({
    clouds,
    environment,
    serviceClientId: settings.identityClientId,
    governor: createGovernor({
      limits: settings.keyVaultLimits,
      instances: state.instances,
      instanceId: randomUUID(),
      clock: systemClock,
      wallClock: now,
    }),
    now,
  });

  const importer = createVersionImporter({ ...state, targets, now });
  const leases = createLeases({ keys: state.keys, now });
  const announcer = createAnnouncer({ intents: state.intents, messaging, now });
  const look = createLook({ keys: state.keys, announcer, now });
  const steps = createStepRunner({ ...state, targets, importer, leases, look, now });
  const reconciler = createReconciler({ ...state, messaging, steps, waitSeconds: settings.waitSeconds, now });
  const generator = createKeyPairGenerator(settings);
  const pool = { pairs: state.keyPairs, sizes: settings.keyPool, random: Math.random };
  const driftPass = createDriftPass({ ...state, targets, messaging, look, now });
  const checkSchedule = createCheckSchedule({ ...state, messaging, now });
  const keyManagement = createKeyManagement({
    checkSchedule,
    state,
    messaging,
    targets,
    generateKeyPair: createPooledGeneration({ ...pool, generate: generator.generate, report }),
    waitSeconds: settings.waitSeconds,
    now,
  });
  const keyValue = createKeyValue({ state, now });
  const sweepIntents = createSweep({ intents: state.intents, messaging, visits: createAgreement(state), now });

  return {
    state,
    vaultApi: createVaultApi({
      mounts: state.mounts,
      tokens: state.tokens,
      policies: state.policies,
      loginRoles: state.loginRoles,
      signIn: createSignIn({ ...settings, clouds, now }),
      requestsPerSecond: settings.requestsPerSecond,
      engines: [createKeyManagementEngine(keyManagement), createKeyValueEngine(keyValue)],
      deadLetters: createDeadLetters({ fullyQualifiedNamespace: settings.serviceBusNamespace, credential }),
      existenceChecks: createExistenceChecks(keyManagement, keyValue),
      version: vaultVersion,
      clusterName: 'keyfleet',
      clusterId: uuidOf(settings.tablesEndpoint),
      now,
      log,
    }),
    async handleDistributionMessage(body) {
      const message = decodeMessage(body);
      switch (message?.kind) {
        case 'distribution':
          return reconciler.reconcile(message.reference);
        case 'check':
          return driftPass.run(message.reference);
        case undefined:
          throw new KeyfleetError('invalid_request', 'a message of the distribution queue is not a wake-up of ours');
      }
    },
    fillKeyPool: createKeyPoolFilling({ ...pool, generator }),
    async sweep() {
      const outcomes = await Promise.allSettled([sweepIntents(), checkSchedule.sweep(), keyValue.sweep()]);
      const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
      if (errors.length > 0) throw new AggregateError(errors, 'not all that is due could be seen to');
    },
  };
}

/** The same for the same text, in the shape of a uuid. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}
