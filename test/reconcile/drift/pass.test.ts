import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { AzureFailure } from '../../../src/azure-failure.ts';
import { ownerOf } from '../../../src/reconcile/target.ts';
import { createWorld, openHouse, settle, type House, type MemoryWorld } from '../../support/house.ts';
import { mount, vaultOf, writeProviders } from '../../support/invariants.ts';
import type { MemoryVault } from '../../support/memory-vault.ts';

const provider = { mount, provider: 'p' };
const fields = { purpose: ['sign'], protection: 'hsm' };
const waiting = { preferAsync: true };
const foreignKey = createPublicKey(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
const names = Array.from({ length: 30 }, (_, index) => `k${index}`);

let world: MemoryWorld;
let house: House;
let vault: MemoryVault;

beforeEach(async () => {
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
});

const kmsName = async (key: string) => (await house.distributions.read({ ...provider, key }))?.kmsName ?? '';
const status = async (page = {}) => {
  const found = await house.status(provider, { limit: 1000, ...page });
  if (found === undefined) throw new Error('there is no such provider');
  return found;
};
const versionsOf = async (key: string) => (await status()).keys.find((entry) => entry.key === key)?.versions ?? [];
const stateOf = async (key: string) => (await versionsOf(key))[0];
const inTime = () => ({ deadline: new Date(world.now().getTime() + 1000) });
const change = async (key: string, changes: Parameters<MemoryVault['change']>[2]) => {
  const name = await kmsName(key);
  vault.change(name, vault.held.get(name)?.at(-1)?.version ?? '', changes);
};

/** Passes as they come, and what they ask for. */
async function checkUntilQuiet(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    world.pass(900);
    await house.check(provider);
    expect(await settle(world, house)).toBe(true);
  }
}

function countCalls(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const method of ['getKey', 'getKeyVersion', 'listVersions', 'updateVersion', 'importWrapped'] as const) {
    const original = vault[method] as (...args: unknown[]) => unknown;
    (vault[method] as unknown) = (...args: unknown[]) => {
      counts[method] = (counts[method] ?? 0) + 1;
      return original(...args);
    };
  }
  const list = vault.listKeys;
  vault.listKeys = async function* () {
    for await (const page of list()) {
      counts.listPage = (counts.listPage ?? 0) + 1;
      yield page;
    }
  };
  return counts;
}

describe('a pass over a vault', () => {
  it('reads nothing but list pages where nothing changed, and of our own state no more than the provider', async () => {
    await house.check(provider);
    const counts = countCalls();
    const calls = house.interruptions.calls;
    world.pass(900);
    await house.check(provider);
    expect(counts).toEqual({ listPage: Math.ceil((names.length + 1) / 25) });
    // The provider and its data key, how far it got, the keys it holds; the pages of the list and its end; how far it got.
    expect(house.interruptions.calls - calls).toBe(4 + 3 + 1);
    expect(await house.state.intents.list()).toEqual([]);
  });

  it('is what makes a version confirmed; what a call returned makes it imported', async () => {
    expect(await stateOf('k3')).toMatchObject({ state: 'imported' });
    await house.check(provider);
    expect(await stateOf('k3')).toEqual({ version: 1, state: 'confirmed', readTime: world.now() });
    world.pass(900);
    await house.check(provider);
    expect((await stateOf('k3'))?.readTime, 'a list that showed the same').toEqual(world.now());
  });

  it('a rotation costs one look at our own state and no call beside the list', async () => {
    await house.check(provider);
    await house.keys.rotate({ mount, key: 'k5' }, waiting);
    expect(await settle(world, house)).toBe(true);
    const counts = countCalls();
    world.pass(900);
    await house.check(provider);
    expect(counts).toEqual({ listPage: 2 });
    expect((await status()).keys.find(({ key }) => key === 'k5')?.versions.map(({ state }) => state)).toEqual([
      'confirmed',
      'confirmed',
    ]);
  });

  it('finds what is disabled, altered, gone and extra, repairs the first three and reports the last', async () => {
    await house.check(provider);
    world.pass(5);
    await change('k1', { enabled: false });
    await change('k2', { tags: {} });
    await change('k3', { operations: [] });
    await vault.deleteKey(await kmsName('k4'), inTime());
    vault.putForeign('stray-1', foreignKey, { 'keyfleet-key': ownerOf(mount, 'p', 'nobody') });
    vault.putForeign('theirs', foreignKey, { owner: 'somebody' });
    await house.check(provider);
    expect(await stateOf('k1')).toMatchObject({ state: 'drifted', reason: 'somebody disabled it' });
    expect(await stateOf('k2')).toMatchObject({ state: 'drifted', reason: 'it has other tags' });
    expect(await stateOf('k3')).toMatchObject({ state: 'drifted', reason: 'it permits other operations' });
    expect(await stateOf('k4')).toMatchObject({ state: 'missing' });
    expect((await status()).inspection?.extras).toEqual(['stray-1']);
    expect(await settle(world, house)).toBe(true);
    await checkUntilQuiet();
    for (const key of names) expect(await stateOf(key), key).toMatchObject({ state: 'confirmed' });
    expect(vault.held.get('stray-1')).toHaveLength(1);
    expect(vault.held.get('theirs')).toHaveLength(1);
  });

  it('sees old versions once a day, when each list of versions is read', async () => {
    await house.keys.rotate({ mount, key: 'k1' }, waiting);
    await settle(world, house);
    await checkUntilQuiet();
    const name = await kmsName('k1');
    vault.change(name, vault.held.get(name)?.[0]?.version ?? '', { enabled: false });
    await checkUntilQuiet();
    expect((await status()).keys.find(({ key }) => key === 'k1')?.versions[0]).toMatchObject({ state: 'confirmed' });
    world.pass(24 * 3600);
    const counts = countCalls();
    await house.check(provider);
    expect(counts).toEqual({ listPage: 2, listVersions: names.length, getKeyVersion: 1 });
    expect(await settle(world, house)).toBe(true);
    expect(vault.held.get(name)?.[0]?.enabled).toBe(true);
  });

  it.each([
    ['at the first page', 0],
    ['in its middle', 1],
  ])(
    'a list that fails %s concludes nothing: what was known is unknown until it is read again',
    async (_name, pages) => {
      await house.check(provider);
      world.pass(5);
      await vault.deleteKey(await kmsName('k1'), inTime());
      await change('k2', { enabled: false });
      const list = vault.listKeys;
      vault.listKeys = async function* () {
        let count = 0;
        for await (const page of list()) {
          if (count++ === pages) throw new AzureFailure('unavailable', 'it went away');
          yield page;
        }
      };
      world.pass(900);
      await house.check(provider);
      const ofAge = (seconds: RegExp) => ({
        state: 'unknown',
        reason: expect.stringMatching(
          new RegExp(`^not read for ${seconds.source} seconds; before that it was confirmed: it went away$`),
        ) as string,
      });
      for (const key of names) expect(await stateOf(key), key).toMatchObject(ofAge(/90\d/));
      expect((await status()).inspection).toMatchObject({ failure: 'it went away' });
      world.pass(3000);
      await house.check(provider);
      expect(await stateOf('k1')).toMatchObject(ofAge(/39\d\d/));
      expect(await house.state.intents.list()).toEqual([]);
      vault.listKeys = list;
      await checkUntilQuiet();
      expect(await stateOf('k1')).toMatchObject({ state: 'confirmed' });
      expect((await status()).inspection?.failure).toBeUndefined();
    },
  );

  it('without the list permission reads by name, and says what it can’t see', async () => {
    vault.listKeys = async function* () {
      throw new AzureFailure('forbidden', 'no list');
    };
    vault.listVersions = () => Promise.reject(new AzureFailure('forbidden', 'no list'));
    await house.check(provider);
    await house.check(provider);
    const counts = countCalls();
    await house.check(provider);
    expect(counts).toEqual({ getKey: names.length });
    expect((await status()).inspection?.mayList).toBe(false);
    world.pass(5);
    await change('k1', { enabled: false });
    await vault.deleteKey(await kmsName('k2'), inTime());
    await checkUntilQuiet();
    for (const key of names) expect(await stateOf(key), key).toMatchObject({ state: 'confirmed' });
  });

  it('a key that can’t be read is doubtful and no reason to leave out the others', async () => {
    await house.check(provider);
    world.pass(5);
    await change('k1', { enabled: false });
    await change('k2', { enabled: false });
    const name = await kmsName('k1');
    const list = vault.listVersions;
    vault.listVersions = (keyName) =>
      keyName === name ? Promise.reject(new AzureFailure('unavailable', 'broken')) : list(keyName);
    await house.check(provider);
    expect(await stateOf('k1')).toMatchObject({
      state: 'unknown',
      reason: expect.stringContaining('broken') as string,
    });
    expect(await stateOf('k2')).toMatchObject({ state: 'drifted' });
  });

  it('a pass that saw all but one key claims no read of that one, also once a list shows it again', async () => {
    await house.keys.rotate({ mount, key: 'k1' }, waiting);
    expect(await settle(world, house)).toBe(true);
    world.pass(5);
    await house.check(provider);
    const before = (await versionsOf('k1'))[0]?.readTime;
    const name = await kmsName('k1');
    const list = vault.listVersions;
    vault.listVersions = (keyName) =>
      keyName === name ? Promise.reject(new AzureFailure('unavailable', 'broken')) : list(keyName);
    world.pass(24 * 3600 + 60);
    await house.check(provider);
    expect((await status()).inspection?.thoroughTime).toEqual(world.now());
    const [old] = await versionsOf('k1');
    expect(old).toMatchObject({ state: 'unknown' });
    expect(old?.readTime).toEqual(before);
    vault.listVersions = list;
    world.pass(900);
    const counts = countCalls();
    await house.check(provider);
    expect(counts).toMatchObject({ listVersions: 1 });
    expect(await versionsOf('k1')).toMatchObject([{ state: 'confirmed' }, { state: 'confirmed' }]);
  });

  it('one of several thorough passes that miss a key claims no more of it than the first', async () => {
    await house.keys.rotate({ mount, key: 'k1' }, waiting);
    expect(await settle(world, house)).toBe(true);
    await checkUntilQuiet();
    const name = await kmsName('k1');
    const seenTime = (await stateOf('k1'))?.readTime;
    const list = vault.listVersions;
    vault.listVersions = (keyName) =>
      keyName === name ? Promise.reject(new AzureFailure('unavailable', 'no answer')) : list(keyName);
    for (let day = 0; day < 3; day++) {
      world.pass(24 * 3600 + 60);
      await house.check(provider);
      expect((await stateOf('k1'))?.readTime, `day ${day}`).toEqual(seenTime);
    }
  });

  it('a pass claims no read of a key that is on its way out, and may be gone', async () => {
    await house.check(provider);
    const before = (await stateOf('k1'))?.readTime;
    const name = await kmsName('k1');
    await house.distributions.delete({ ...provider, key: 'k1' }, waiting);
    await vault.deleteKey(name, inTime());
    world.pass(900);
    await house.check(provider);
    expect((await status()).inspection?.lightTime).toEqual(world.now());
    expect((await stateOf('k1'))?.readTime).toEqual(before);
  });

  it('a policy that changes is what counts for what was found before', async () => {
    await house.providers.write(provider, { drift: 'report' });
    await change('k1', { enabled: false });
    await checkUntilQuiet();
    expect(await stateOf('k1')).toMatchObject({ state: 'drifted' });
    await house.providers.write(provider, { drift: 'repair' });
    await checkUntilQuiet();
    expect(await stateOf('k1')).toMatchObject({ state: 'confirmed' });
  });

  it('gives the status page by page', async () => {
    const first = await status({ limit: 20 });
    expect(first.keys).toHaveLength(20);
    const second = await status({ limit: 20, after: first.next });
    expect(second.next).toBeUndefined();
    expect([...first.keys, ...second.keys].map(({ key }) => key)).toEqual([...names].sort());
  });
});

describe('the schedule', () => {
  it('asks for a check of each vault once in each interval, whoever sweeps, and for none once a provider is gone', async () => {
    const asked: string[] = [];
    for (let minute = 0; minute < 60; minute++) {
      world.pass(60);
      await Promise.all([house.sweepChecks(), house.sweepChecks()]);
      asked.push(...world.checks.splice(0).map((check) => check.provider));
    }
    expect(asked.sort()).toEqual(['p', 'p', 'p', 'p', 'q', 'q', 'q', 'q']);
    await house.providers.delete({ mount, provider: 'q' });
    world.pass(3600);
    await house.sweepChecks();
    expect(world.checks.splice(0).map((check) => check.provider)).toEqual(['p']);
    expect(await house.state.checks.due(new Date('9999-01-01'))).toHaveLength(1);
  });
});
