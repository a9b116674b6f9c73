import { expect } from 'vitest';
import { isAzureFailure } from '../../../src/azure-failure.ts';
import { isKeyfleetError } from '../../../src/errors.ts';
import { openHouse, settle, type House, type World } from '../../support/house.ts';
import { isCrash, type Interrupt, type Interruption, type Room } from '../../support/interruptions.ts';
import { checkAgreement, checkAlways, mount, writeProviders } from '../../support/invariants.ts';
import { watchOver } from '../../support/witness.ts';
import { distributedCopies, othersGoOn } from './history.ts';

const waiting = { preferAsync: true };
const key = { mount, key: 'a' };
const distribution = { purpose: ['sign'], protection: 'hsm' };

/** What comes before the operation that is cut, and the operation. */
export const operations: Record<
  string,
  { before: (house: House) => Promise<unknown>; cut: (house: House) => Promise<unknown> }
> = {
  create: { before: async () => undefined, cut: (house) => house.keys.write(key, {}, waiting) },
  distribute: {
    before: (house) => house.keys.write(key, {}, waiting),
    cut: (house) => house.distributions.write({ ...key, provider: 'p' }, distribution, waiting),
  },
  rotate: { before: distributed, cut: (house) => house.keys.rotate(key, waiting) },
  disable: {
    before: async (house) => {
      await distributed(house);
      await house.keys.rotate(key, waiting);
    },
    cut: (house) => house.keys.write(key, { minEnabledVersion: 2 }, waiting),
  },
  'remove from a vault': {
    before: distributed,
    cut: (house) => house.distributions.delete({ ...key, provider: 'p' }, waiting),
  },
  delete: {
    before: async (house) => {
      await house.keys.write(key, { deletionAllowed: true }, waiting);
      await house.keys.rotate(key, waiting);
    },
    cut: (house) => house.keys.delete(key),
  },
};

async function distributed(house: House): Promise<void> {
  await house.keys.write(key, {}, waiting);
  for (const provider of ['p', 'q']) await house.distributions.write({ ...key, provider }, distribution, waiting);
}

/** Every way in which a call of each room can be cut, without those that look alike from inside. */
export const waysOf: Record<Room, readonly Interruption[]> = {
  table: ['crash-before', 'crash-after', 'unavailable', 'lost', 'slow', 'twice'],
  queue: ['crash-before', 'crash-after', 'unavailable', 'lost', 'slow', 'twice'],
  vault: ['crash-before', 'crash-after', 'unavailable', 'throttled', 'throttled-briefly', 'forbidden', 'lost', 'slow'],
};

export interface CutRun {
  world: World;
  /** One of {@link operations}. */
  name: string;
  /** Cuts the operation and what follows from it. */
  interrupt?: Interrupt;
  /** Cuts the recovery from that, by a process of its own. */
  interruptRecovery?: Interrupt;
}

/**
 * Does the operation and all that follows from it, cut at some calls; then lets the world recover.
 * @returns the rooms of the calls made before the recovery, in order, and whether it took a look at the vaults to recover
 */
export async function runCut({ world, name, interrupt, interruptRecovery }: CutRun): Promise<{
  rooms: Room[];
  looked: boolean;
}> {
  const operation = operations[name];
  const calm = openHouse(world);
  await writeProviders(calm);
  await world.reuseExchangeKeys(calm);
  await operation?.before(calm);
  expect(await settle(world, calm)).toBe(true);
  const versionsBefore = (await calm.keys.read(key))?.latestVersion ?? 0;
  const wishes = {
    removals: new Set(name === 'remove from a vault' ? ['a/p'] : []),
    minimums: new Map(name === 'disable' ? [['a', 2]] : []),
  };
  const vigil = watchOver(world, { house: calm, mount, wishes, foreign: new Map() });

  const rooms: Room[] = [];
  const noted: Interrupt = (call, room) => {
    rooms.push(room);
    return interrupt?.(call, room);
  };
  const whileSlow = () => othersGoOn(world);
  const house = openHouse(world, noted, whileSlow);
  const accepted = (await attempt(() => operation?.cut(house))) && !house.interruptions.dead;
  await attempt(() => settle(world, house));
  await checkAlways(world, calm, new Map());
  await attempt(() => settle(world, openHouse(world, interruptRecovery, whileSlow)));
  await checkAlways(world, calm, new Map());

  const last = openHouse(world);
  expect(await settle(world, last), 'everything settles').toBe(true);
  const looked = !(await agrees(world, last));
  for (const reference of looked ? await distributedCopies(last) : []) await last.look(reference);
  expect(await settle(world, last), 'everything settles').toBe(true);
  await checkAgreement(world, last);
  if (name === 'rotate') {
    const made = ((await last.keys.read(key))?.latestVersion ?? 0) - versionsBefore;
    expect(accepted ? [1] : [0, 1], 'a rotation makes one version').toContain(made);
  }
  expect(vigil.violations.join('; ')).toBe('');
  return { rooms, looked };
}

async function agrees(world: World, house: House): Promise<boolean> {
  return checkAgreement(world, house).then(
    () => true,
    () => false,
  );
}

/** @returns whether it went through */
async function attempt(run: () => Promise<unknown> | undefined): Promise<boolean> {
  try {
    await run();
    return true;
  } catch (error) {
    if (!isInjected(error)) throw error;
    return false;
  }
}

function isInjected(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isInjected);
  return isCrash(error) || isKeyfleetError(error) || isAzureFailure(error);
}
