import { createKeyExchangeKeys } from '../../src/key-vault/key-exchange-key.ts';
import type { TargetVault } from '../../src/key-vault/target-vault.ts';
import { createAgreement } from '../../src/keymgmt/agreement.ts';
import { createKeyManagement, type KeyManagement } from '../../src/keymgmt/index.ts';
import type { CheckReference, DistributionReference } from '../../src/messaging/index.ts';
import { createLook, type LookOutcome } from '../../src/reconcile/drift/look.ts';
import { createDriftPass } from '../../src/reconcile/drift/pass.ts';
import { createCheckSchedule } from '../../src/reconcile/drift/schedule.ts';
import { createAnnouncer } from '../../src/reconcile/intents.ts';
import { createVersionImporter } from '../../src/reconcile/import-version.ts';
import { createLeases } from '../../src/reconcile/leases.ts';
import { createReconciler } from '../../src/reconcile/reconciler.ts';
import { createStepRunner } from '../../src/reconcile/steps.ts';
import { createSweep } from '../../src/reconcile/sweep.ts';
import type { Targets } from '../../src/reconcile/target.ts';
import { createState, type State } from '../../src/state/index.ts';
import { pooledKeyPair } from './fixtures.ts';
import { createInterruptions, isCrash, type Interrupt, type Interruptions } from './interruptions.ts';
import type { World } from './world.ts';

export { createWorld, type MemoryWorld } from './memory-world.ts';
export type { World } from './world.ts';

/** One process of the service over a world. */
export interface House extends KeyManagement {
  state: State;
  interruptions: Interruptions;
  reconcile: (reference: DistributionReference) => Promise<void>;
  sweep: () => Promise<void>;
  /** Looks at one key in its vault, as the drift pass does. */
  look: (reference: DistributionReference) => Promise<LookOutcome>;
  /** Looks through a vault. */
  check: (reference: CheckReference) => Promise<void>;
  /** Asks for the checks that are due. */
  sweepChecks: () => Promise<void>;
}

/**
 * @param interrupt decides about each call to a table, a vault or the queue
 * @param whileSlow what happens in the world while such a call is slow
 */
export function openHouse(
  world: World,
  interrupt: Interrupt = () => undefined,
  whileSlow: () => Promise<void> = async () => undefined,
): House {
  const { now } = world;
  const interruptions = createInterruptions({ interrupt, strike: world.strike, whileSlow });
  const state = createState({
    openTable: (name) => interruptions.wrap(world.openTable(name), 'table'),
    rootKey: {
      wrap: async (plaintext) => ({ wrapped: Uint8Array.from(plaintext), rootKeyId: 'root' }),
      unwrap: async (wrapped) => Uint8Array.from(wrapped),
    },
    now,
  });
  const opened = new Map<string, TargetVault>();
  const targets: Targets = {
    keyExchangeKeys: createKeyExchangeKeys({ now }),
    open({ keyCollection }) {
      const vault = opened.get(keyCollection) ?? interruptions.wrap(world.openVault(keyCollection), 'vault');
      opened.set(keyCollection, vault);
      return vault;
    },
  };
  const messaging = interruptions.wrap(world.messaging, 'queue');
  const importer = createVersionImporter({ ...state, targets, now });
  const leases = createLeases({ keys: state.keys, now });
  const announcer = createAnnouncer({ intents: state.intents, messaging, now });
  const look = createLook({ keys: state.keys, announcer, now });
  const steps = createStepRunner({ ...state, targets, importer, leases, look, now });
  const driftPass = createDriftPass({ ...state, targets, messaging, look, now });
  const checkSchedule = createCheckSchedule({ ...state, messaging, now });
  const reconciler = createReconciler({ ...state, messaging, steps, waitSeconds: 0, now });
  const visits = { ...createAgreement(state), secret: async () => undefined };
  return {
    ...createKeyManagement({
      checkSchedule,
      state,
      messaging,
      targets,
      generateKeyPair: pooledKeyPair,
      waitSeconds: 0,
      now,
    }),
    state,
    interruptions,
    reconcile: (reference) => reconciler.reconcile(reference),
    check: (reference) => driftPass.run(reference),
    sweepChecks: () => checkSchedule.sweep(),
    async look(reference) {
      const provider = await state.providers.read(reference);
      if (provider === undefined) throw new Error('there is no such provider');
      return look.look({ reference, provider, vault: targets.open(provider, 'background') });
    },
    sweep: createSweep({ intents: state.intents, messaging, visits, now }),
  };
}

/** Lets the house handle one message, if any may be seen. @returns whether there was one */
export async function handleMessage(world: World, house: House, index = 0): Promise<boolean> {
  const delivery = await world.receive(index);
  if (delivery === undefined) return false;
  try {
    await house.reconcile(delivery.reference);
  } catch (error) {
    await (isCrash(error) ? delivery.drop() : delivery.abandon());
    throw error;
  }
  await delivery.complete();
  return true;
}

/** Handles messages and lets time pass until nothing is left to do. @returns whether that point was reached */
export async function settle(world: World, house: House, cycles = 40): Promise<boolean> {
  for (let cycle = 0; cycle < cycles; cycle++) {
    let handled = true;
    while (handled) handled = await handleMessage(world, house);
    const open = await house.state.intents.list();
    if (open.length === 0 && world.queued() === 0) return true;
    world.pass(120);
    await house.sweep();
  }
  return false;
}
