import { describe, expect, it } from 'vitest';
import { isAzureFailure } from '../../src/azure-failure.ts';
import { isKeyfleetError } from '../../src/errors.ts';
import { createWorld, handleMessage, openHouse, settle, type House, type World } from '../support/house.ts';
import { isCrash, type Interrupt, type Interruption, type Room } from '../support/interruptions.ts';
import { checkAgreement, checkAlways, mount, writeProviders } from '../support/invariants.ts';

const waiting = { preferAsync: true };
const key = { mount, key: 'a' };
const distribution = { purpose: ['sign'], protection: 'hsm' };

/** What comes before the operation that is cut, and the operation. */
const operations: Record<
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
const waysOf: Record<Room, readonly Interruption[]> = {
  table: ['crash-before', 'crash-after', 'unavailable', 'lost', 'slow', 'twice'],
  queue: ['crash-before', 'crash-after', 'unavailable', 'lost', 'slow', 'twice'],
  vault: ['crash-before', 'crash-after', 'unavailable', 'throttled', 'throttled-briefly', 'forbidden', 'lost', 'slow'],
};

/**
 * Does the operation and all that follows from it, cut at some calls; then lets the world recover.
 * @returns the rooms of the calls made, in order
 */
async function runCut(name: string, interrupt: Interrupt): Promise<Room[]> {
  const operation = operations[name];
  const world = createWorld();
  const calm = openHouse(world);
  await writeProviders(calm);
  await operation?.before(calm);
  expect(await settle(world, calm)).toBe(true);

  const rooms: Room[] = [];
  const noted: Interrupt = (call, room) => {
    rooms.push(room);
    return interrupt(call, room);
  };
  const house = openHouse(world, noted, () => othersGoOn(world));
  await attempt(() => operation?.cut(house));
  await attempt(() => settle(world, house));
  await checkAlways(world, calm, new Map());
  expect(await settle(world, openHouse(world)), 'everything settles').toBe(true);
  await checkAgreement(world, openHouse(world));
  return rooms;
}

/** While one process hangs, its locks end and another one sees to everything. */
async function othersGoOn(world: World): Promise<void> {
  world.pass(90);
  const other = openHouse(world);
  await other.sweep();
  while (await handleMessage(world, other));
}

async function attempt(run: () => Promise<unknown> | undefined): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!isCrash(error) && !isKeyfleetError(error) && !isAzureFailure(error)) throw error;
  }
}

describe('one cut, at every call, in every way', () => {
  it.each(Object.keys(operations))(
    '%s',
    async (name) => {
      const rooms = await runCut(name, () => undefined);
      let cuts = 0;
      for (const [cutAt, room] of rooms.entries()) {
        for (const how of waysOf[room]) {
          await runCut(name, (call) => (call === cutAt ? how : undefined)).catch((error: unknown) => {
            throw new Error(`${name} cut at call ${cutAt} (${room}, ${how})`, { cause: error });
          });
          cuts++;
        }
      }
      console.log(`${name}: ${rooms.length} calls, ${cuts} cuts`);
      expect(cuts, 'the cuts were made').toBeGreaterThan(rooms.length);
    },
    120_000,
  );
});
