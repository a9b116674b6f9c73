import { beforeEach, describe, expect, it } from 'vitest';
import { AzureFailure } from '../../src/azure-failure.ts';
import type { TargetVault } from '../../src/key-vault/target-vault.ts';
import { createWorld, openHouse, settle, type House, type MemoryWorld } from '../support/house.ts';
import { Crash } from '../support/interruptions.ts';
import { checkAgreement, mount, vaultOf, writeProviders } from '../support/invariants.ts';
import type { HeldVersion, MemoryVault } from '../support/memory-vault.ts';

const key = { mount, key: 'a' };
const provider = { mount, provider: 'p' };
const distribution = { ...key, provider: 'p' };
const waiting = { preferAsync: true };

let world: MemoryWorld;
let house: House;
let vault: MemoryVault;

/** Two versions, of which the first is to be disabled. */
beforeEach(async () => {
  world = createWorld();
  house = openHouse(world);
  vault = world.vault(vaultOf('p'));
  await writeProviders(house);
  await house.keys.write(key, {}, waiting);
  await house.distributions.write(distribution, { purpose: ['sign'], protection: 'hsm' }, waiting);
  await house.keys.rotate(key, waiting);
  expect(await settle(world, house)).toBe(true);
  await setMinimum(2);
});

const setMinimum = (minEnabledVersion: number) => house.keys.write(key, { minEnabledVersion }, waiting);

type Update = TargetVault['updateVersion'];

/** What becomes of the next change of a version, in the place of the change itself. */
function instead(happen: (call: () => ReturnType<Update>, ...args: Parameters<Update>) => ReturnType<Update>): void {
  const original = vault.updateVersion;
  vault.updateVersion = (...args) => {
    vault.updateVersion = original;
    return happen(() => original(...args), ...args);
  };
}

const unseen = () => new AzureFailure('unknown-outcome', 'the reply was lost');

/** The next change ends without anybody seeing how. */
function loseNext({ effect }: { effect: boolean }): void {
  instead(async (call) => {
    if (effect) await call();
    throw unseen();
  });
}

function countChanges(): () => number {
  let count = 0;
  const original = vault.updateVersion;
  vault.updateVersion = (...args) => {
    count++;
    return original(...args);
  };
  return () => count;
}

const entry = async () => (await house.state.keys.read(key))?.distributions[0];
const placement = async (version = 1) => (await entry())?.placements.find((candidate) => candidate.version === version);
const held = async () => vault.held.get((await entry())?.distribution.kmsName ?? '') ?? [];
const enabled = async () => (await held()).map((version) => version.enabled);
const statesOf = async () => (await house.status(provider, { limit: 10 }))?.keys[0]?.versions;

/** A process that slept for too long made it. */
async function duplicateFirst(): Promise<void> {
  const versions = vault.held.get((await entry())?.distribution.kmsName ?? '') as HeldVersion[];
  const [first] = versions;
  if (first !== undefined) versions.splice(1, 0, { ...first, version: 'another copy of version 1' });
  await house.look(distribution);
  expect((await placement())?.duplicates).toHaveLength(1);
}

/** One message, as far as it gets. */
async function goOn(): Promise<void> {
  world.queue.length = 0;
  await house.reconcile(distribution);
}

describe('a version that was disabled without anybody seeing how that ended', () => {
  it.each([true, false])('is enabled again when it should be, whatever was done since (effect: %s)', async (effect) => {
    loseNext({ effect });
    await goOn();
    expect(await enabled()).toEqual([!effect, true]);
    expect(await placement()).toMatchObject({ enabled: true, unsure: true });
    world.pass(30);
    await house.keys.rotate(key, waiting);
    await setMinimum(1);
    instead(async () => Promise.reject(new AzureFailure('throttled', 'busy')));
    await goOn();
    expect(await placement(3)).toMatchObject({ enabled: true });
    expect(await enabled()).toEqual([!effect, true, true]);
    expect(await settle(world, house)).toBe(true);
    expect(await enabled()).toEqual([true, true, true]);
    expect(await placement()).not.toHaveProperty('unsure');
    await checkAgreement(world, house);
  });

  it('so is one that was enabled', async () => {
    await goOn();
    await setMinimum(1);
    loseNext({ effect: true });
    await goOn();
    expect(await placement()).toMatchObject({ enabled: false, unsure: true });
    world.pass(30);
    await house.keys.rotate(key, waiting);
    await setMinimum(3);
    expect(await settle(world, house)).toBe(true);
    expect(await enabled()).toEqual([false, false, true]);
    await checkAgreement(world, house);
  });

  it.each([true, false])('so is one of two copies, whichever it was (look at it meanwhile: %s)', async (looks) => {
    await duplicateFirst();
    // The first call is about one of them, the second about the other.
    instead(async (call) => {
      const done = await call();
      instead(async (secondCall) => {
        if (looks) await house.look(distribution);
        await secondCall();
        throw unseen();
      });
      return done;
    });
    await goOn();
    expect(await enabled()).toEqual([false, false, true]);
    expect((await placement())?.duplicates).toMatchObject([{ enabled: true, unsure: true }]);
    world.pass(30);
    await setMinimum(1);
    expect(await settle(world, house)).toBe(true);
    expect(await enabled()).toEqual([true, true, true]);
    expect((await placement())?.duplicates).toEqual([{ kmsVersion: expect.any(String) as string, enabled: true }]);
  });

  it('isn’t told as in agreement', async () => {
    loseNext({ effect: true });
    await goOn();
    expect((await statesOf())?.[0]).toMatchObject({ state: 'pending' });
    await setMinimum(1);
    expect((await statesOf())?.[0]).toMatchObject({
      state: 'unknown',
      reason: "it isn't known how the last change of it ended, so it is made once more",
    });
    expect((await house.distributions.read(distribution))?.warnings.join()).toContain('version 1 is not yet enabled');
    expect(await settle(world, house)).toBe(true);
    expect((await statesOf())?.[0]).toMatchObject({ state: 'imported' });
  });

  it.each([true, false])(
    'is known again once a look showed it, and is left alone then (effect: %s)',
    async (effect) => {
      world.pass(30);
      await duplicateFirst();
      await setMinimum(1);
      await setMinimum(2);
      const losing = () =>
        instead(async (call) => {
          if (effect) await call();
          losing();
          throw unseen();
        });
      losing();
      await goOn();
      world.pass(30);
      expect(await placement()).toMatchObject({ enabled: true, unsure: true });
      await house.look(distribution);
      expect(await placement()).toMatchObject({ enabled: !effect });
      expect(await placement()).not.toHaveProperty('unsure');
      await goOn();
      expect((await placement())?.duplicates).toMatchObject(effect ? [{ unsure: true }] : [{ enabled: true }]);
      world.pass(30);
      await house.look(distribution);
      expect((await placement())?.duplicates).toEqual([{ kmsVersion: expect.any(String) as string, enabled: !effect }]);
      await setMinimum(effect ? 2 : 1);
      const changes = countChanges();
      world.pass(30);
      expect(await settle(world, house)).toBe(true);
      expect(changes()).toBe(0);
    },
  );

  it('isn’t known by a look for as long as the call may be on its way', async () => {
    instead(async (call) => {
      await house.look(distribution);
      expect(await placement()).toMatchObject({ enabled: true, unsure: true });
      await call();
      throw new Crash();
    });
    await expect(goOn()).rejects.toThrow(Crash);
    await setMinimum(1);
    expect(await settle(world, house)).toBe(true);
    expect(await enabled()).toEqual([true, true]);
  });

  it('isn’t taken for somebody else’s doing, where that is left as it is', async () => {
    await house.providers.write(provider, { drift: 'report' });
    loseNext({ effect: true });
    await goOn();
    world.pass(30);
    await setMinimum(1);
    await house.look(distribution);
    expect(await placement()).toMatchObject({ enabled: false });
    expect(await placement()).not.toHaveProperty('deviations');
    expect(await settle(world, house)).toBe(true);
    expect(await enabled()).toEqual([true, true]);
  });

  it('is not mended in passing: that could disable the last one that works', async () => {
    await goOn();
    const name = (await entry())?.distribution.kmsName ?? '';
    const [first, second] = await held();
    vault.change(name, first?.version ?? '', { tags: {} });
    world.pass(30);
    await house.look(distribution);
    await setMinimum(1);
    loseNext({ effect: true });
    await goOn();
    expect(await placement()).toMatchObject({ enabled: false, unsure: true, deviations: ['tags'] });
    await setMinimum(2);
    vault.change(name, second?.version ?? '', { enabled: false });
    const working: boolean[] = [];
    const original = vault.updateVersion;
    vault.updateVersion = async (...args) => {
      const updated = await original(...args);
      working.push((await enabled()).includes(true));
      return updated;
    };
    world.pass(30);
    expect(await settle(world, house)).toBe(true);
    expect(working).toEqual([true, true]);
    expect(await enabled()).toEqual([false, true]);
  });

  it('is not one that was only mended', async () => {
    await goOn();
    const [first] = await held();
    vault.change((await entry())?.distribution.kmsName ?? '', first?.version ?? '', { tags: {} });
    world.pass(30);
    await house.look(distribution);
    loseNext({ effect: true });
    await goOn();
    expect(await placement()).toMatchObject({ enabled: false, deviations: ['tags'] });
    expect(await placement()).not.toHaveProperty('unsure');
  });
});

describe('a call that is known to have had no effect', () => {
  it('leaves the version as it was known', async () => {
    instead(async () => Promise.reject(new AzureFailure('throttled', 'busy')));
    await goOn();
    expect(await placement()).toMatchObject({ enabled: true });
    expect(await placement()).not.toHaveProperty('unsure');
  });

  it('leaves it as unknown as it was before', async () => {
    loseNext({ effect: true });
    await goOn();
    world.pass(30);
    instead(async () => Promise.reject(new AzureFailure('throttled', 'busy')));
    await goOn();
    expect(await placement()).toMatchObject({ enabled: true, unsure: true });
  });
});

it('a vault that answers with something else than was asked for may have done a part of it', async () => {
  instead(async (call) => ({ ...(await call()), operations: ['verify'] }));
  await goOn();
  expect(await placement()).toMatchObject({ enabled: true, unsure: true });
  await setMinimum(1);
  expect(await settle(world, house)).toBe(true);
  expect(await enabled()).toEqual([true, true]);
});

it('to know it costs no request: a change is two writes to a table and one call that changes the vault', async () => {
  const writes: string[] = [];
  const counted = openHouse({
    ...world,
    openTable(name) {
      const table = world.openTable(name);
      return {
        ...table,
        transact(...args) {
          if (name === 'keys') writes.push(args[1].map(({ kind, row }) => `${kind} ${row.split('|')[0]}`).join());
          return table.transact(...args);
        },
      };
    },
  });
  const changes = countChanges();
  await counted.reconcile(distribution);
  expect(writes).toEqual(Array(2).fill('replace distribution,upsert placement'));
  expect(changes()).toBe(1);
});
