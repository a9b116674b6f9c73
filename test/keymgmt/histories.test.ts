import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAzureFailure } from '../../src/azure-failure.ts';
import { isKeyfleetError } from '../../src/errors.ts';
import {
  createWorld,
  handleMessage,
  openHouse,
  settle,
  type House,
  type MemoryWorld as World,
} from '../support/house.ts';
import { crashes, faults, isCrash, type Interruption, type Room } from '../support/interruptions.ts';
import {
  checkAgreement,
  checkAlways,
  keyNames,
  mount,
  providerNames,
  vaultOf,
  writeProviders,
} from '../support/invariants.ts';
import { runsOf } from '../support/runs.ts';

const waiting = { preferAsync: true };

type Operation =
  | { kind: 'create' | 'rotate' | 'delete'; key: number }
  | { kind: 'minimum'; key: number; share: number }
  | { kind: 'distribute' | 'remove'; key: number; provider: number }
  | { kind: 'message'; index: number; twice: boolean }
  | { kind: 'sweep' | 'restart' }
  | { kind: 'pass'; seconds: number };

const index = fc.nat({ max: 1 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('create' as const, 'delete' as const), key: index }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('rotate' as const), key: index }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('minimum' as const),
      key: index,
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('distribute' as const), key: index, provider: index }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), key: index, provider: index }) },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('message' as const), index: fc.nat({ max: 5 }), twice: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('sweep' as const, 'restart' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), seconds: fc.integer({ min: 1, max: 90 }) }) },
);

/** Where the run is cut, by number of call; the kind says how. */
const interruptions = fc.array(
  fc.record({
    call: fc.nat({ max: 300 }),
    how: fc.constantFrom<Interruption>(...crashes, ...faults),
  }),
  { maxLength: 12 },
);

async function perform(world: World, house: House, step: Operation): Promise<void> {
  switch (step.kind) {
    case 'create':
      await house.keys.write({ mount, key: keyOf(step) }, { deletionAllowed: true }, waiting);
      return;
    case 'rotate':
      await house.keys.rotate({ mount, key: keyOf(step) }, waiting);
      return;
    case 'delete':
      return house.keys.delete({ mount, key: keyOf(step) });
    case 'minimum': {
      const latest = (await house.keys.read({ mount, key: keyOf(step) }))?.latestVersion ?? 0;
      const minEnabledVersion = Math.round(step.share * latest);
      await house.keys.write({ mount, key: keyOf(step) }, { minEnabledVersion, deletionAllowed: true }, waiting);
      return;
    }
    case 'distribute':
      await house.distributions.write(reference(step), { purpose: ['sign'], protection: 'hsm' }, waiting);
      return;
    case 'remove':
      await house.distributions.delete(reference(step), waiting);
      return;
    case 'message':
      for (let times = step.twice ? 2 : 1; times > 0; times--) await handleMessage(world, house, step.index);
      return;
    case 'sweep':
      return house.sweep();
    case 'restart':
    case 'pass':
      return;
  }
}

const keyOf = ({ key }: { key: number }) => keyNames[key] ?? 'a';
const reference = ({ key, provider }: { key: number; provider: number }) => ({
  mount,
  key: keyNames[key] ?? 'a',
  provider: providerNames[provider] ?? 'p',
});

function isFailure(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isFailure);
  return isKeyfleetError(error) || isAzureFailure(error);
}

async function run(
  operations: readonly Operation[],
  cuts: readonly { call: number; how: Interruption }[],
  sharedVault: boolean,
): Promise<void> {
  const vaultOfProvider = (provider: string) => (sharedVault ? 'shared' : vaultOf(provider));
  const world = createWorld();
  const plan = new Map(cuts.map(({ call, how }) => [call, how]));
  let offset = 0;
  const interrupt = (call: number, room: Room): Interruption | undefined => {
    const how = plan.get(call + offset);
    return how === 'slow' && room === 'table' ? undefined : how;
  };
  const whileSlow = async () => {
    world.pass(90);
    const other = openHouse(world);
    await other.sweep();
    while (await handleMessage(world, other));
  };
  const calm = openHouse(world);
  await writeProviders(calm, vaultOfProvider);
  let house = openHouse(world, interrupt, whileSlow);
  const latest = new Map<string, number>();
  for (const step of operations) {
    try {
      await perform(world, house, step);
    } catch (error) {
      if (!isCrash(error) && !isFailure(error)) throw error;
      if (isCrash(error)) {
        offset += house.interruptions.calls;
        house = openHouse(world, interrupt, whileSlow);
      }
    }
    if (step.kind === 'pass') world.pass(step.seconds);
    if (step.kind === 'restart') {
      offset += house.interruptions.calls;
      house = openHouse(world, interrupt, whileSlow);
    }
    await checkAlways(world, calm, latest, vaultOfProvider);
  }
  const quiet = openHouse(world);
  expect(await settle(world, quiet), 'everything settles').toBe(true);
  await checkAgreement(world, quiet, vaultOfProvider);
}

describe('histories of keys in vaults, cut anywhere', () => {
  it('never break what always holds, and end in agreement', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 10, maxLength: 50 }), interruptions, fc.boolean(), run),
      runsOf({ usually: 500, long: 10_000 }),
    );
  }, 600_000);
});
