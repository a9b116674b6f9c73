import { beforeEach, describe, expect, it } from 'vitest';
import { AzureFailure } from '../../../src/azure-failure.ts';
import { createWorld, openHouse, settle, type House, type MemoryWorld } from '../../support/house.ts';
import { mount, vaultOf, writeProviders } from '../../support/invariants.ts';
import type { MemoryVault } from '../../support/memory-vault.ts';

const provider = { mount, provider: 'p' };
const fields = { purpose: ['sign'], protection: 'hsm' };
const waiting = { preferAsync: true };
const names = Array.from({ length: 50 }, (_, index) => `k${index + 10}`);
const daySeconds = 24 * 3600;
const hasList = { listPage: 3 };

let world: MemoryWorld;
let house: House;
let vault: MemoryVault;
let counts: Record<string, number>;

beforeEach(async () => {
  await setUp();
  await checkAll();
  world.pass(5);
  counts = countCalls();
});

/** Keys that are in the vault, and that nobody has looked at yet. */
async function setUp(): Promise<void> {
  world = createWorld();
  house = openHouse(world);
  vault = world.vault(vaultOf('p'));
  await writeProviders(house);
  for (const key of names) {
    await house.keys.write({ mount, key }, {}, waiting);
    await house.distributions.write({ ...provider, key }, fields, waiting);
  }
  expect(await settle(world, house)).toBe(true);
  world.pass(5);
}

type Method = 'getKey' | 'getKeyVersion' | 'listVersions' | 'updateVersion' | 'importWrapped';
const methods: Method[] = ['getKey', 'getKeyVersion', 'listVersions', 'updateVersion', 'importWrapped'];

/** @param before what happens at every call */
function countCalls(before: (method: Method | 'listPage') => void = () => undefined): Record<string, number> {
  const counted: Record<string, number> = {};
  const count = (method: Method | 'listPage') => {
    counted[method] = (counted[method] ?? 0) + 1;
    before(method);
  };
  for (const method of methods) {
    const original = vault[method] as (...args: unknown[]) => unknown;
    (vault[method] as unknown) = (...args: unknown[]) => {
      count(method);
      return original(...args);
    };
  }
  const list = vault.listKeys;
  vault.listKeys = async function* () {
    for await (const page of list()) {
      count('listPage');
      yield page;
    }
  };
  return counted;
}

/** A pass, and all that it leaves to further messages. @returns how many seconds each of them took */
async function checkAll(): Promise<number[]> {
  const seconds: number[] = [];
  world.checks.splice(0);
  for (let next: { time: Date } | undefined = { time: world.now() }; next !== undefined; next = world.checks.shift()) {
    world.pass(Math.max(0, (next.time.getTime() - world.now().getTime()) / 1000));
    const began = world.now().getTime();
    await house.check(provider);
    seconds.push((world.now().getTime() - began) / 1000);
    if (seconds.length > 100) throw new Error('it never comes to its end');
  }
  return seconds;
}

const status = async () => {
  const found = await house.status(provider, { limit: 1000 });
  if (found === undefined) throw new Error('there is no such provider');
  return found;
};
const statesOf = async (version = 1) =>
  (await status()).keys.map(({ versions }) => versions.find((entry) => entry.version === version)?.state);
const all = (state: string) => names.map(() => state);

async function disableAll(): Promise<void> {
  for (const key of names) {
    const name = (await house.distributions.read({ ...provider, key }))?.kmsName ?? '';
    vault.change(name, vault.held.get(name)?.at(-1)?.version ?? '', { enabled: false });
  }
}

async function rotateAll(): Promise<void> {
  for (const key of names) await house.keys.rotate({ mount, key }, waiting);
}

/** @param besides what happens after each of the first messages */
async function handleAll(besides: () => Promise<void>): Promise<void> {
  for (let message = await world.receive(); message !== undefined; message = await world.receive()) {
    await house.reconcile(message.reference);
    await message.complete();
    if (world.queue.length > 0 && world.queue.length % 10 === 0) await besides();
  }
}

describe('beside a wave of rotations', () => {
  it('a pass that is due in every respect costs the pages of its lists and nothing else', async () => {
    world.pass(daySeconds);
    await rotateAll();
    let passes = 0;
    await handleAll(async () => {
      passes++;
      world.pass(10);
      await house.check(provider);
    });
    const versions = names.length;
    console.log(`${versions} rotations beside ${passes} passes: ${JSON.stringify(counts)}`);
    expect(passes).toBe(4);
    const { listPage = 0, importWrapped, ...others } = counts;
    expect(importWrapped).toBe(versions);
    expect(listPage).toBe(passes * hasList.listPage);
    // One look for the key exchange key, which nobody has seen for a while.
    expect(Object.values(others).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(1);
  });

  it('a thorough pass waits until the wave is over, and then looks at every version', async () => {
    world.pass(daySeconds);
    await rotateAll();
    await checkAll();
    expect(counts.listVersions).toBeUndefined();
    const before = (await status()).inspection?.thoroughTime;
    expect(await settle(world, house)).toBe(true);
    world.pass(900);
    await checkAll();
    expect(counts.listVersions).toBe(names.length);
    expect((await status()).inspection?.thoroughTime?.getTime()).toBeGreaterThan(before?.getTime() ?? Infinity);
    expect(await statesOf(1)).toEqual(all('confirmed'));
    expect(await statesOf(2)).toEqual(all('confirmed'));
  });

  it('one that comes up while a thorough pass is on its way stops it, and the pass goes on from there', async () => {
    world.pass(daySeconds);
    const slow = countCalls((method) => {
      if (method === 'listVersions') world.pass(2);
    });
    await house.check(provider);
    const seenFirst = slow.listVersions ?? 0;
    expect(seenFirst).toBeGreaterThan(0);
    expect(seenFirst).toBeLessThan(names.length);
    await rotateAll();
    world.pass(15);
    await checkAll();
    expect(slow.listVersions).toBe(seenFirst);
    expect(await settle(world, house)).toBe(true);
    world.pass(900);
    await checkAll();
    expect(slow.listVersions).toBe(names.length);
  });

  it('a thorough pass that has been due for a day waits no longer', async () => {
    world.pass(2 * daySeconds);
    await house.keys.rotate({ mount, key: names[0] ?? '' }, waiting);
    await checkAll();
    // The key that is being worked on is owed its look.
    expect(counts.listVersions).toBe(names.length - 1);
    expect(await settle(world, house)).toBe(true);
    world.pass(900);
    await checkAll();
    expect(counts.listVersions).toBe(names.length);
  });

  it('work that has failed again and again holds up no thorough pass', async () => {
    world.pass(daySeconds);
    vault.importWrapped = () => Promise.reject(new AzureFailure('forbidden', 'not any more'));
    await house.keys.rotate({ mount, key: names[0] ?? '' }, waiting);
    for (let round = 0; round < 3; round++) {
      await settle(world, house, 1);
      world.pass(300);
    }
    await checkAll();
    expect(counts.listVersions).toBe(names.length);
  });
});

describe('a new vault', () => {
  it('is looked at thoroughly without a call where the list of keys has shown every version', async () => {
    await setUp();
    const fresh = countCalls();
    await checkAll();
    expect(fresh).toEqual(hasList);
    expect(await statesOf()).toEqual(all('confirmed'));
    expect((await status()).inspection?.thoroughTime).toEqual(world.now());
    world.pass(daySeconds / 2);
    await checkAll();
    expect(fresh.listVersions, 'not due yet').toBeUndefined();
    world.pass(daySeconds / 2);
    await checkAll();
    expect(fresh.listVersions).toBe(names.length);
  });
});

describe('a pass that takes long', () => {
  it('looks at what differs however long the list takes', async () => {
    await disableAll();
    countCalls((method) => {
      if (method === 'listPage') world.pass(130);
    });
    const [seconds = 0] = await checkAll();
    expect(seconds).toBeGreaterThan(240);
    expect(await statesOf()).toEqual(all('drifted'));
  });

  it('gives up a list that takes too long, and keeps what was found until then', async () => {
    await disableAll();
    countCalls((method) => {
      if (method === 'listPage') world.pass(250);
    });
    await checkAll();
    expect((await status()).inspection?.failure).toContain('more keys than can be listed in time');
    const states = await statesOf();
    expect(states.filter((state) => state === 'drifted').length).toBeGreaterThan(40);
  });

  it('leaves to the next message what there is no time for, and reads no list for that', async () => {
    await disableAll();
    const slow = countCalls((method) => {
      if (method === 'listVersions') world.pass(4);
    });
    const seconds = await checkAll();
    console.log(`messages of ${seconds.join(', ')} s`);
    expect(seconds.length).toBeGreaterThan(2);
    expect(Math.max(...seconds)).toBeLessThan(100);
    expect(slow.listPage).toBe(hasList.listPage);
    expect(await statesOf()).toEqual(all('drifted'));
    expect(await settle(world, house)).toBe(true);
    world.pass(900);
    await checkAll();
    expect(await statesOf()).toEqual(all('confirmed'));
  });

  it('says nothing newer of a key that it has yet to look at', async () => {
    const readBefore = (await status()).keys.map(({ versions }) => versions[0]?.readTime?.getTime());
    world.pass(900);
    await disableAll();
    countCalls((method) => {
      if (method === 'listVersions') world.pass(4);
    });
    await house.check(provider);
    const states = await statesOf();
    expect(new Set(states)).toEqual(new Set(['drifted', 'confirmed']));
    for (const [index, { versions }] of (await status()).keys.entries()) {
      if (states[index] === 'confirmed') expect(versions[0]?.readTime?.getTime()).toBe(readBefore[index]);
    }
  });
});

describe('a pass that is put off', () => {
  const putOff = new AzureFailure('throttled', 'no more calls than', { retryAfterSeconds: 12, deferred: true });
  let isPutOff = true;

  beforeEach(() => {
    isPutOff = true;
    const { listKeys } = vault;
    vault.listKeys = async function* () {
      if (isPutOff) throw putOff;
      yield* listKeys();
    };
  });

  it('at its first page comes back when there is room, and counts as no failure', async () => {
    const before = await status();
    world.pass(900);
    await house.check(provider);
    const comeBackTime = new Date(world.now().getTime() + 12_000);
    expect((await status()).inspection).toEqual({ ...before.inspection, comeBackTime });
    expect(world.checks.map(({ time }) => time)).toEqual([comeBackTime]);
    world.pass(5);
    await house.check(provider);
    expect(world.checks, 'another message meanwhile').toHaveLength(1);
    expect(await statesOf()).toEqual(all('confirmed'));
    isPutOff = false;
    world.pass(7);
    await house.check(provider);
    expect((await status()).inspection?.lightTime).toEqual(world.now());
  });

  it('for so long that nothing is known any more is told by its age alone', async () => {
    world.pass(3600);
    await house.check(provider);
    const { reason } = (await status()).keys[0]?.versions[0] ?? {};
    expect(reason).toBe('not read for 3605 seconds; before that it was confirmed');
  });

  it('leaves the last real failure on record', async () => {
    isPutOff = false;
    const { listKeys } = vault;
    vault.listKeys = async function* () {
      throw new AzureFailure('unavailable', 'it went away');
    };
    await house.check(provider);
    vault.listKeys = listKeys;
    isPutOff = true;
    world.pass(900);
    await house.check(provider);
    expect((await status()).inspection?.failure).toBe('it went away');
  });

  it('at a look at a key casts no doubt on it', async () => {
    isPutOff = false;
    await disableAll();
    const { listVersions } = vault;
    vault.listVersions = () => Promise.reject(putOff);
    await house.check(provider);
    expect((await status()).inspection?.failure).toBeUndefined();
    expect(await statesOf()).toEqual(all('confirmed'));
    expect((await status()).keys.flatMap(({ notes }) => notes)).toEqual([]);
    expect(world.checks).toHaveLength(1);
    vault.listVersions = listVersions;
    world.pass(12);
    await checkAll();
    expect(await statesOf()).toEqual(all('drifted'));
  });

  it('by the vault itself says so, and comes back too', async () => {
    vault.listKeys = async function* () {
      throw new AzureFailure('throttled', 'it is throttling requests', { retryAfterSeconds: 60 });
    };
    await house.check(provider);
    expect((await status()).inspection?.failure).toBe('it is throttling requests');
    expect(world.checks.map(({ time }) => time)).toEqual([new Date(world.now().getTime() + 60_000)]);
  });
});
