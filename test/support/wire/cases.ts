import fc from 'fast-check';
import { expect } from 'vitest';
import { isKeyfleetError } from '../../../src/errors.ts';
import { createGovernor, documentedLimits, systemClock } from '../../../src/reconcile/governor/index.ts';
import { createInstanceStore } from '../../../src/state/instances.ts';
import { createWorld, handleMessage, openHouse } from '../house.ts';
import { checkAgreement, checkAlways, mount, providerNames } from '../invariants.ts';
import { createMemoryTable } from '../memory-table.ts';
import { toHeldKey } from '../real-world.ts';
import type { MemoryWorld } from '../memory-world.ts';
import { plans, type Plan } from './faults.ts';
import { exchangeKeyName, type Fleet, type FreshVaults, type Sku } from './fleet.ts';
import { createWireWitness } from './witness.ts';

/** What is going on when the faults begin, and goes on while they last. */
type Work =
  | { kind: 'distribute' | 'remove'; key: number; provider: number }
  | { kind: 'rotate' | 'disable old' | 'enable all'; key: number }
  | { kind: 'light pass' | 'thorough pass'; provider: number }
  | { kind: 'sweep' };

export interface FaultCase {
  keys: number;
  vaults: number;
  sku: Sku;
  /** How often each key was rotated before. */
  rotations: number;
  /** Whether all was in the vaults, and seen there, before the faults; otherwise it was just asked for. */
  settled: boolean;
  work: readonly Work[];
  plan: Plan;
  /** Whether calls take turns, as they do in the service. */
  governed: boolean;
}

const key = fc.nat({ max: 2 });
const provider = fc.nat({ max: 1 });
const work: fc.Arbitrary<Work> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('distribute' as const), key, provider }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), key, provider }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('rotate' as const), key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('disable old' as const), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('enable all' as const), key }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('light pass' as const, 'thorough pass' as const), provider }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'sweep' as const }) },
);

export const faultCases: fc.Arbitrary<FaultCase> = fc.record({
  keys: fc.integer({ min: 1, max: 3 }),
  vaults: fc.integer({ min: 1, max: 2 }),
  sku: fc.constantFrom<Sku[]>('premium', 'premium', 'standard'),
  rotations: fc.nat({ max: 1 }),
  settled: fc.boolean(),
  work: fc.array(work, { minLength: 1, maxLength: 5 }),
  plan: plans,
  governed: fc.constantFrom(false, false, true),
});

/** What one case came to. */
export interface FaultResult {
  /** Cycles until all agreed, once the faults were over. */
  cycles: number;
  /** Versions that a status told to be unknown. */
  unknown: number;
  /** Changes that reached a vault. */
  changes: number;
}

const waiting = { preferAsync: true };
const names = ['a', 'b', 'c'];
/** The longest that anything is put off. */
const cycleSeconds = 3600;
const mostCycles = 3;

/** @throws AssertionError if anything is done, told or left undone that mustn't be */
export async function runFaultCase(fleet: Fleet, given: FaultCase): Promise<FaultResult> {
  const keys = names.slice(0, given.keys);
  const providers = providerNames.slice(0, given.vaults);
  const vaults = await fleet.fresh(given.sku);
  const world = worldOver(vaults, given.governed);
  const house = openHouse(world);
  const readKey = (key: string) => house.state.keys.read({ mount, key });
  const witness = createWireWitness({ world, vaults, readKey });
  vaults.watch(witness);
  const vaultOf = (provider: string) => vaults.names.get(provider) ?? '';
  const foreign = new Set(
    [...vaults.names.values()].flatMap((vault) => [...world.contents(vault).keys()].map((name) => `${vault}/${name}`)),
  );
  const latest = new Map<string, number>();
  const fields = { purpose: ['sign'], protection: given.sku === 'premium' ? 'hsm' : 'software' };
  let unknown = 0;

  async function check(): Promise<void> {
    await fleet.proxy.quiet();
    expect(witness.harm).toEqual([]);
    expect(witness.lostOfOthers(), 'nothing of other people’s is touched').toEqual([]);
    await checkAlways(world, house, latest, vaultOf, { keys });
    for (const provider of providers) {
      const status = await house.status({ mount, provider }, { limit: 100 });
      if (status === undefined) continue;
      expect(witness.faultsOf(status, provider)).toEqual([]);
      unknown += status.keys.flatMap(({ versions }) => versions).filter(({ state }) => state === 'unknown').length;
    }
  }

  async function handleAll(): Promise<void> {
    while (await handleMessage(world, house));
    const due = world.checks.filter(({ time }) => time <= world.now());
    for (const check of due) world.checks.splice(world.checks.indexOf(check), 1);
    for (const { provider } of due) await pass(provider);
  }

  async function pass(provider: string): Promise<void> {
    world.pass(1);
    witness.beginPass(provider);
    await house.check({ mount, provider });
    witness.endPass(provider);
    // What happens within one instant has no order.
    world.pass(1);
  }

  /** A request that the service refuses, because it can't reach the vault or for its rules, is no fault. */
  async function ask(request: Promise<unknown>): Promise<void> {
    await request.catch((error: unknown) => {
      if (!isKeyfleetError(error, 'invalid_request', 'conflict', 'upstream_refused', 'unavailable')) throw error;
    });
  }

  async function perform(work: Work): Promise<void> {
    const reference = { mount, key: pick(keys, 'key' in work ? work.key : 0) };
    const provider = pick(providers, 'provider' in work ? work.provider : 0);
    switch (work.kind) {
      case 'sweep':
        world.pass(120);
        await house.sweep();
        return house.sweepChecks();
      case 'light pass':
        return pass(provider);
      case 'thorough pass':
        world.pass(24 * 3600 + 60);
        return pass(provider);
      case 'rotate':
        return ask(house.keys.rotate(reference, waiting));
      case 'enable all':
        return ask(house.keys.write(reference, { minEnabledVersion: 0 }, waiting));
      case 'disable old': {
        const state = await readKey(reference.key);
        return ask(house.keys.write(reference, { minEnabledVersion: state?.key.latestVersion ?? 0 }, waiting));
      }
      case 'distribute':
        return ask(house.distributions.write({ ...reference, provider }, fields, waiting));
      case 'remove':
        return ask(house.distributions.delete({ ...reference, provider }, waiting));
    }
  }

  for (const provider of providers) {
    const about = { provider: 'azurekeyvault', keyCollection: vaultOf(provider), credentials: { tenant_id: 't' } };
    await house.providers.write({ mount, provider }, about);
    const record = await house.state.providers.read({ mount, provider });
    if (record === undefined) throw new Error('the provider is not there');
    await house.state.providers.update({ mount, provider }, { ...record, kekName: exchangeKeyName(provider) });
  }
  for (const key of keys) {
    await house.keys.write({ mount, key }, {}, waiting);
    for (let count = 0; count < given.rotations; count++) await house.keys.rotate({ mount, key }, waiting);
    await house.distributions.write({ mount, key, provider: pick(providers, 0) }, fields, waiting);
  }
  if (given.settled) {
    await handleAll();
    for (const provider of providers) await pass(provider);
    await handleAll();
  }

  vaults.suffer(given.plan);
  for (const work of given.work) {
    world.pass(7);
    await perform(work);
    await handleAll();
    await check();
  }
  fleet.proxy.relent();
  // Whoever is at it has an answer before hours pass.
  await fleet.proxy.quiet();

  for (let cycles = 1; ; cycles++) {
    world.pass(cycleSeconds);
    await house.sweep();
    await house.sweepChecks();
    // What follows from something else follows soon.
    for (let count = 0; count < 4; count++, world.pass(10)) await handleAll();
    await check();
    if (await agrees()) return { cycles, unknown, changes: witness.changes };
    expect(cycles, 'all agrees again within so many cycles').toBeLessThan(mostCycles);
  }

  async function agrees(): Promise<boolean> {
    if ((await house.state.intents.list()).length > 0 || world.queued() > 0) return false;
    await checkAgreement(world, house, vaultOf, { foreign, keys });
    for (const provider of providers) {
      const status = await house.status({ mount, provider }, { limit: 100 });
      if (status?.inspection?.failure !== undefined) return false;
      for (const { versions } of status?.keys ?? []) {
        const states = versions.map(({ state }) => state);
        expect(['confirmed', 'imported'], 'what is there is told').toEqual(expect.arrayContaining(states));
        expect(states.at(-1), 'the newest version was read').toBe('confirmed');
      }
    }
    return true;
  }
}

function pick<T>(list: readonly T[], index: number): T {
  const picked = list[index % list.length];
  if (picked === undefined) throw new Error('there is nothing to pick from');
  return picked;
}

function worldOver(vaults: FreshVaults, governed: boolean): MemoryWorld {
  const start = Date.now();
  const world = createWorld(start);
  const governor = createGovernor({
    limits: documentedLimits,
    instances: createInstanceStore(createMemoryTable()),
    instanceId: 'only',
    // The world's own time stands still while somebody waits for a turn.
    clock: { ...systemClock, now: () => performance.now() + world.now().getTime() - start },
    wallClock: world.now,
  });
  const open = (name: string) => {
    const vault = vaults.open(name);
    return governed ? governor.govern(vault, { vaultId: name, groupId: 'all' }).background : vault;
  };
  return {
    ...world,
    openVault: open,
    vaultNames: () => [...vaults.names.values()],
    contents: (name) =>
      new Map(
        vaults
          .inspect(name)
          .filter(({ deleted }) => !deleted)
          .map((key) => [key.name, key.versions.map(toHeldKey)]),
      ),
  };
}
