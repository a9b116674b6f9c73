import fc from 'fast-check';
import { expect } from 'vitest';
import { isKeyfleetError } from '../../../src/errors.ts';
import { createChaoticQueue, randomFrom, type ChaosCounts, type ChaoticQueue } from '../../support/chaotic-queue.ts';
import { createWorld, openHouse, settle, type House, type World } from '../../support/house.ts';
import {
  checkAgreement,
  checkAlways,
  keyNames,
  mount,
  providerNames,
  vaultOf,
  writeProviders,
} from '../../support/invariants.ts';
import type { Delivery } from '../../support/world.ts';

/*
 * Messages say where to look and nothing else, so whatever a queue does to them, the same requests end in the same keys
 * in the same vaults as if each message had come at once, once and in order.
 */

const waiting = { preferAsync: true };

type Operation =
  | { kind: 'create' | 'rotate' | 'delete'; key: string }
  | { kind: 'minimum'; key: string; share: number }
  | { kind: 'distribute' | 'remove'; key: string; provider: string };

const key = fc.constantFrom(...keyNames);
const provider = fc.constantFrom(...providerNames);
/** So that there is something to send messages about from the start. */
const opening: Operation[] = keyNames.flatMap((name): Operation[] => [
  { kind: 'create', key: name },
  ...providerNames.map((to): Operation => ({ kind: 'distribute', key: name, provider: to })),
]);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('create' as const), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('delete' as const), key }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('rotate' as const), key }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('minimum' as const),
      key,
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('distribute' as const), key, provider }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), key, provider }) },
);

async function perform(house: House, step: Operation): Promise<void> {
  const reference = { mount, key: step.key };
  switch (step.kind) {
    case 'create':
      await house.keys.write(reference, { deletionAllowed: true }, waiting);
      return;
    case 'rotate':
      await house.keys.rotate(reference, waiting);
      return;
    case 'delete':
      return house.keys.delete(reference);
    case 'minimum': {
      const latest = (await house.keys.read(reference))?.latestVersion;
      if (latest === undefined) return;
      await house.keys.write(reference, { minEnabledVersion: Math.round(step.share * latest) }, waiting);
      return;
    }
    case 'distribute':
      await house.distributions.write(
        { ...reference, provider: step.provider },
        { purpose: ['sign'], protection: 'hsm' },
        waiting,
      );
      return;
    case 'remove':
      await house.distributions.delete({ ...reference, provider: step.provider }, waiting);
  }
}

/** Asks once more when it was too early: a key on its way out of a vault can't be deleted or sent there again yet. */
async function insist(house: House, step: Operation, catchUp: () => Promise<void>): Promise<void> {
  for (const isLast of [false, true]) {
    try {
      return await perform(house, step);
    } catch (error) {
      if (!isKeyfleetError(error)) throw error;
      if (isLast || error.code !== 'conflict') return;
      await catchUp();
    }
  }
}

/** What a person sees of it all: which versions there are, here and in each vault, and which of them work. */
async function finalState(world: World, house: House): Promise<unknown> {
  const keys = keyNames.map(async (name) => {
    const state = await house.state.keys.read({ mount, key: name });
    const distributions = state?.distributions.map(({ distribution, placements }) => {
      const held = world.contents(vaultOf(distribution.provider)).get(distribution.kmsName) ?? [];
      return {
        provider: distribution.provider,
        confirmed: placements.map(({ version, enabled }) => [version, enabled]),
        held: held.map(({ tags, enabled }) => [Number(tags['keyfleet-version']), enabled]),
      };
    });
    if (state === undefined) return { name };
    const { type, latestVersion, minEnabledVersion, deletionAllowed } = state.key;
    return { name, type, latestVersion, minEnabledVersion, deletionAllowed, distributions };
  });
  const vaults = providerNames.map((name) => {
    const names = [...world.contents(vaultOf(name)).keys()].filter((held) => !held.startsWith('keyfleet-kek-'));
    return [name, names.map((held) => held.replace(/-\d+$/, '')).toSorted()];
  });
  return { keys: await Promise.all(keys), vaults };
}

async function runInOrder(operations: readonly Operation[]): Promise<unknown> {
  const world = createWorld();
  const house = openHouse(world);
  await writeProviders(house);
  const catchUp = async () => void expect(await settle(world, house)).toBe(true);
  for (const step of operations) {
    await insist(house, step, catchUp);
    await catchUp();
  }
  return finalState(world, house);
}

interface Chaos {
  world: World;
  queue: ChaoticQueue;
  random: () => number;
  /** Handlings during which the lock was lost and another instance began. */
  locksLost: number;
}

/**
 * Two instances: at a random call of the first the lock of its message is lost, the other is handed the message and goes
 * through with it, and then the first goes on as if nothing were.
 */
function openTwo(chaos: Chaos): { house: House; handleNext: () => Promise<boolean> } {
  const { world, random } = chaos;
  const other = openHouse(world);
  let strikeAt = Infinity;
  let inHand: Delivery | undefined;

  async function loseLock(): Promise<void> {
    strikeAt = Infinity;
    chaos.locksLost++;
    // Soon, while the first may be in the midst of a call to the vault, or when its time for that is long over.
    world.pass(random() < 0.5 ? random() * 20 : random() * 180);
    if (inHand === undefined) return;
    await inHand.loseLock();
    const again = await world.receive(inHand.reference);
    if (again === undefined) return;
    await other.reconcile(again.reference);
    await again.complete();
  }

  const house = openHouse(world, (call) => (call >= strikeAt ? 'slow' : undefined), loseLock);
  return {
    house,
    async handleNext() {
      const delivery = await world.receive();
      if (delivery === undefined) return false;
      inHand = delivery;
      if (random() < 0.25) strikeAt = house.interruptions.calls + Math.floor(random() * 25);
      await house.reconcile(delivery.reference);
      strikeAt = Infinity;
      await delivery.complete();
      return true;
    },
  };
}

async function runInChaos(
  base: World,
  operations: readonly Operation[],
  seed: number,
): Promise<{ state: unknown; chaos: Chaos }> {
  const random = randomFrom(seed);
  const queue = createChaoticQueue(base, random);
  const world: World = { ...base, messaging: queue.messaging, receive: queue.receive };
  const chaos: Chaos = { world, queue, random, locksLost: 0 };
  const { house, handleNext } = openTwo(chaos);
  const onlooker = openHouse(world);
  await writeProviders(house);
  await world.reuseExchangeKeys(house);
  const latest = new Map<string, number>();

  /** As long as it takes: what is a day late, comes a day later. */
  async function catchUp(): Promise<void> {
    for (let cycle = 0; cycle < 200; cycle++) {
      for (let misses = 0; misses < 5;) misses += (await handleNext()) ? -misses : 1;
      const open = await onlooker.state.intents.list();
      if (open.length === 0 && world.queued() === 0) return;
      world.pass(120 + random() * 3600);
      await house.sweep();
    }
    throw new Error(`${world.queued()} messages are still on their way`);
  }

  for (const step of operations) {
    await insist(house, step, catchUp);
    for (let count = Math.floor(random() * 5); count > 0; count--) await handleNext();
    if (random() < 0.5) world.pass(random() < 0.1 ? random() * 20_000 : random() * 90);
    if (random() < 0.1) await house.sweep();
    await checkAlways(world, onlooker, latest);
  }
  queue.calm();
  await catchUp();
  await checkAlways(world, onlooker, latest);
  await checkAgreement(world, onlooker);
  return { state: await finalState(world, onlooker), chaos };
}

export interface ChaosTally extends ChaosCounts {
  histories: number;
  locksLost: number;
}

export function newChaosTally(): ChaosTally {
  const messages = { sent: 0, doubled: 0, delayed: 0, reordered: 0, dropped: 0, lost: 0, handled: 0 };
  return { histories: 0, ...messages, locksLost: 0 };
}

/**
 * The same requests end in the same state, in chaos in each world that `open` opens, and in order in one in memory.
 * @param tally what the histories came to that did
 */
export function chaosProperty(open: () => World | Promise<World>, tally: ChaosTally) {
  return fc.asyncProperty(fc.array(operation, { minLength: 3, maxLength: 14 }), fc.integer(), async (rest, seed) => {
    const operations = [...opening, ...rest];
    const { state, chaos } = await runInChaos(await open(), operations, seed);
    expect(state).toEqual(await runInOrder(operations));
    tally.histories++;
    tally.locksLost += chaos.locksLost;
    const { counts } = chaos.queue;
    for (const name of Object.keys(counts) as (keyof ChaosCounts)[]) tally[name] += counts[name];
  });
}
