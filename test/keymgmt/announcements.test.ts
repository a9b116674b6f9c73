import { beforeEach, describe, expect, it } from 'vitest';
import { AzureFailure } from '../../src/azure-failure.ts';
import type { KeyStore } from '../../src/state/keys.ts';
import { createWorld, openHouse, settle, type House, type MemoryWorld } from '../support/house.ts';
import { Crash } from '../support/interruptions.ts';
import { checkAgreement, mount, vaultOf, writeProviders } from '../support/invariants.ts';

const key = { mount, key: 'a' };
const distribution = { ...key, provider: 'p' };
const waiting = { preferAsync: true };
const fields = { purpose: ['sign'], protection: 'hsm' };

let world: MemoryWorld;
/** Announces changes, sleeps before it makes them, and dies afterwards. */
let sleeper: House;
let other: House;

beforeEach(async () => {
  world = createWorld();
  [sleeper, other] = [openHouse(world), openHouse(world)];
  await writeProviders(other);
});

/** @param asleep what happens between the announcement of a change and the change */
function sleepBefore(method: 'create' | 'addVersion' | 'addDistribution' | 'update', asleep: () => Promise<unknown>) {
  const { keys } = sleeper.state;
  const original = keys[method] as (...args: unknown[]) => Promise<unknown>;
  (keys as Record<keyof KeyStore, unknown>)[method] = async (...args: unknown[]) => {
    await asleep();
    await original(...args);
    throw new Crash();
  };
}

async function timer(seconds: number): Promise<void> {
  world.pass(seconds);
  await other.sweep();
  for (const { reference } of world.queue.splice(0)) await other.reconcile(reference);
}

async function expectAgreement(): Promise<void> {
  expect(await settle(world, other)).toBe(true);
  expect(await other.state.intents.list()).toEqual([]);
  await checkAgreement(world, other, vaultOf);
}

async function distributed(): Promise<void> {
  await other.keys.write(key, {}, waiting);
  await other.distributions.write(distribution, fields, waiting);
  await settle(world, other);
}

const naps = [
  ['an instant', () => other.reconcile(distribution)],
  [
    'some minutes',
    async () => {
      for (let minutes = 0; minutes < 8; minutes++) await timer(70);
    },
  ],
] as const;

describe.each(naps)(
  'a process that sleeps for %s between announcing and making a change, and then dies',
  (_nap, nap) => {
    it.each([
      ['a rotation', 'addVersion', () => sleeper.keys.rotate(key, waiting)],
      ['a minimum', 'update', () => sleeper.keys.write(key, { minEnabledVersion: 2 }, waiting)],
    ] as const)('has %s done by the timer', async (_name, method, change) => {
      await distributed();
      await other.keys.rotate(key, waiting);
      await settle(world, other);
      sleepBefore(method, nap);
      await expect(change()).rejects.toThrow(Crash);
      world.queue.length = 0;
      await expectAgreement();
    });

    it('has a distribution done, and keeps its place at the provider', async () => {
      await other.keys.write(key, {}, waiting);
      sleepBefore('addDistribution', nap);
      await expect(sleeper.distributions.write(distribution, fields, waiting)).rejects.toThrow(Crash);
      await expect(other.providers.delete({ mount, provider: 'p' })).rejects.toThrow('has keys distributed to it');
      world.queue.length = 0;
      await expectAgreement();
    });

    it('has its new key listed', async () => {
      sleepBefore('create', nap);
      await expect(sleeper.keys.write(key, {}, waiting)).rejects.toThrow(Crash);
      await expectAgreement();
      expect(await other.keys.list(mount)).toEqual(['a']);
    });
  },
);

it('a process that dies after changing the minimum of a key that a vault refused has left work for the timer', async () => {
  await distributed();
  const vault = world.vault(vaultOf('p'));
  const original = vault.importWrapped;
  vault.importWrapped = () => Promise.reject(new AzureFailure('refused', 'not today'));
  await other.keys.rotate(key, waiting);
  expect(await settle(world, other)).toBe(true);
  expect((await other.distributions.read(distribution))?.warnings.join()).toContain('not today');
  vault.importWrapped = original;
  sleepBefore('update', () => Promise.resolve());
  await expect(sleeper.keys.write(key, { minEnabledVersion: 2 }, waiting)).rejects.toThrow(Crash);
  world.queue.length = 0;
  await expectAgreement();
});

it('what was announced and never comes is forgotten in the end', async () => {
  await distributed();
  sleepBefore('addVersion', () => Promise.reject(new Crash()));
  await expect(sleeper.keys.rotate(key, waiting)).rejects.toThrow(Crash);
  for (let minutes = 0; minutes < 9; minutes++) await timer(70);
  expect(await other.state.intents.list()).toHaveLength(1);
  await timer(70);
  await timer(70);
  expect(await other.state.intents.list()).toEqual([]);
});
