import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { AzureFailure } from '../../../src/azure-failure.ts';
import type { TargetVault } from '../../../src/key-vault/target-vault.ts';
import { createWorld, openHouse, settle, type House, type MemoryWorld } from '../../support/house.ts';
import { mount, vaultOf, writeProviders } from '../../support/invariants.ts';
import type { HeldVersion, MemoryVault } from '../../support/memory-vault.ts';

const key = { mount, key: 'a' };
const reference = { ...key, provider: 'p' };
const fields = { purpose: ['sign'], protection: 'hsm' };
const waiting = { preferAsync: true };
const foreignKey = createPublicKey(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);

let world: MemoryWorld;
let house: House;
let vault: MemoryVault;

beforeEach(async () => {
  world = createWorld();
  house = openHouse(world);
  vault = world.vault(vaultOf('p'));
  await writeProviders(house);
  await house.keys.write(key, {}, waiting);
  await house.distributions.write(reference, fields, waiting);
  await house.keys.rotate(key, waiting);
  await house.keys.write(key, { minEnabledVersion: 2 }, waiting);
  expect(await settle(world, house)).toBe(true);
  world.pass(5);
});

const distribution = async () => {
  const state = await house.state.keys.read(key);
  const found = state?.distributions[0];
  if (found === undefined) throw new Error('it is not distributed');
  return found;
};
const kmsName = async () => (await distribution()).distribution.kmsName;
const held = async () => vault.held.get(await kmsName()) ?? [];
const version = async (number: number): Promise<HeldVersion> => {
  const found = (await held()).find(({ tags }) => tags['keyfleet-version'] === String(number));
  if (found === undefined) throw new Error(`version ${number} is not there`);
  return found;
};
const deviationsOf = async (number: number) =>
  (await distribution()).placements.find((placement) => placement.version === number)?.deviations;
const change = async (number: number, changes: Parameters<MemoryVault['change']>[2]) =>
  vault.change(await kmsName(), (await version(number)).version, changes);
const inTime = () => ({ deadline: new Date(world.now().getTime() + 1000) });
const setPolicy = (drift: string) => house.providers.write(reference, { drift });

/** What is in the vault, as a picture to compare. */
const picture = async () =>
  (await held()).map(({ version, enabled, operations, tags }) => ({ version, enabled, operations, tags }));

function countCalls(): () => Record<string, number> {
  const counts: Record<string, number> = {};
  for (const method of ['getKey', 'getKeyVersion', 'listVersions', 'updateVersion', 'importWrapped'] as const) {
    const original = vault[method] as (...args: unknown[]) => unknown;
    (vault[method] as unknown) = (...args: unknown[]) => {
      counts[method] = (counts[method] ?? 0) + 1;
      return original(...args);
    };
  }
  return () => counts;
}

const deviations: [string, string, (number: number) => Promise<void>][] = [
  ['disabled', 'enabled', (number) => change(number, { enabled: false })],
  ['with other operations', 'operations', (number) => change(number, { operations: ['sign', 'verify'] })],
  ['with other tags', 'tags', (number) => change(number, { tags: {} })],
];

describe('a look at a key in its vault', () => {
  it('costs one list and no reads where nothing was changed, and is what shows that versions are there', async () => {
    const calls = countCalls();
    expect((await distribution()).placements.map(({ readTime }) => readTime)).toEqual([undefined, undefined]);
    expect(await house.look(reference)).toEqual({ kind: 'seen', kmsName: await kmsName(), deviates: false });
    expect(calls()).toEqual({ listVersions: 1 });
    expect((await distribution()).placements.map(({ readTime }) => readTime)).toEqual([world.now(), world.now()]);
    world.pass(60);
    const { etag } = (await distribution()).distribution;
    await house.look(reference);
    expect((await distribution()).distribution.etag, 'nothing new is not written down').toBe(etag);
    expect(await house.state.intents.list()).toEqual([]);
  });

  it.each(deviations)('finds the newest version %s and repairs it', async (_name, deviation, deviate) => {
    const before = await picture();
    await deviate(2);
    await house.look(reference);
    expect(await deviationsOf(2)).toEqual([deviation]);
    expect(await settle(world, house)).toBe(true);
    expect(await picture()).toEqual(before);
    expect(await deviationsOf(2)).toBeUndefined();
    expect(await house.state.intents.list()).toEqual([]);
  });

  it('finds an old version that somebody enabled, and disables it again', async () => {
    await change(1, { enabled: true });
    await house.look(reference);
    expect(await deviationsOf(1)).toEqual(['enabled']);
    expect(await settle(world, house)).toBe(true);
    expect((await version(1)).enabled).toBe(false);
  });

  it.each(['report', 'ignore'])('with the policy "%s" the truth is recorded and nothing is changed', async (policy) => {
    await setPolicy(policy);
    for (const [, , deviate] of deviations) await deviate(2);
    await change(1, { enabled: true });
    const before = await picture();
    const calls = countCalls();
    await house.look(reference);
    expect(await deviationsOf(2)).toEqual(['operations', 'tags', 'enabled']);
    expect((await distribution()).placements.map(({ enabled }) => enabled)).toEqual([true, false]);
    expect(await settle(world, house)).toBe(true);
    expect(await picture()).toEqual(before);
    expect(calls().updateVersion).toBeUndefined();
    const warnings = (await house.distributions.read(reference))?.warnings.join(' ') ?? '';
    if (policy === 'report') expect(warnings).toMatch(/version 2: .*other operations.*somebody disabled it/);
    else expect(warnings).toBe('');
  });

  it('what is left alone is mended once by writing the distribution again', async () => {
    await setPolicy('report');
    await change(2, { enabled: false, operations: [] });
    await house.look(reference);
    await settle(world, house);
    expect((await version(2)).enabled).toBe(false);
    await house.distributions.write(reference, fields, waiting);
    expect(await settle(world, house)).toBe(true);
    expect(await version(2)).toMatchObject({ enabled: true, operations: ['sign'] });
    await change(2, { enabled: false });
    await house.look(reference);
    expect(await settle(world, house)).toBe(true);
    expect((await version(2)).enabled, 'once, not for good').toBe(false);
  });

  it('an old version stays enabled for as long as the newest is found disabled and left so', async () => {
    await house.keys.write(key, { minEnabledVersion: 1 }, waiting);
    await settle(world, house);
    await setPolicy('report');
    await change(2, { enabled: false });
    await house.look(reference);
    await house.keys.write(key, { minEnabledVersion: 2 }, waiting);
    expect(await settle(world, house)).toBe(true);
    expect((await held()).map(({ enabled }) => enabled)).toEqual([true, false]);
    await house.distributions.write(reference, fields, waiting);
    expect(await settle(world, house)).toBe(true);
    expect((await held()).map(({ enabled }) => enabled)).toEqual([false, true]);
  });

  it('a deleted key is recovered with its own versions', async () => {
    const [name, before] = [await kmsName(), await picture()];
    await vault.deleteKey(name, inTime());
    await house.look(reference);
    expect(await deviationsOf(1)).toEqual(['missing']);
    expect(await settle(world, house)).toBe(true);
    expect(await kmsName()).toBe(name);
    expect(await picture()).toEqual(before);
    expect((await distribution()).distribution.restoration).toMatch(/was deleted; Keyfleet recovered it/);
    expect(await deviationsOf(1)).toBeUndefined();
  });

  it('a recovery that takes long is waited for, while the key is neither there nor among the deleted ones', async () => {
    const [name, before] = [await kmsName(), await picture()];
    await vault.deleteKey(name, inTime());
    const { recoverKey, getDeletedKey } = vault;
    let begun = false;
    vault.recoverKey = () => {
      begun = true;
      return Promise.reject(new AzureFailure('unknown-outcome', 'it takes long'));
    };
    vault.getDeletedKey = (keyName) => (begun ? Promise.resolve(undefined) : getDeletedKey(keyName));
    await house.look(reference);
    expect(await settle(world, house, 3)).toBe(false);
    expect(begun).toBe(true);
    await recoverKey(name, inTime());
    expect(await settle(world, house)).toBe(true);
    expect(await kmsName()).toBe(name);
    expect(await picture()).toEqual(before);
  });

  it('a key that somebody recovers just then is not taken for purged', async () => {
    const [name, before] = [await kmsName(), await picture()];
    await vault.deleteKey(name, inTime());
    const { recoverKey } = vault;
    vault.recoverKey = async (...args) => {
      await recoverKey(...args);
      return recoverKey(...args);
    };
    await house.look(reference);
    expect(await settle(world, house)).toBe(true);
    expect(await kmsName()).toBe(name);
    expect(await picture()).toEqual(before);
  });

  it('a deleted key that may not be recovered is imported again under another name, in order', async () => {
    const name = await kmsName();
    await vault.deleteKey(name, inTime());
    vault.recoverKey = () => Promise.reject(new AzureFailure('forbidden', 'no'));
    await house.look(reference);
    expect(await settle(world, house)).toBe(true);
    expect(await kmsName()).not.toBe(name);
    expect((await held()).map(({ tags, enabled }) => [tags['keyfleet-version'], enabled])).toEqual([
      ['1', false],
      ['2', true],
    ]);
    expect((await distribution()).distribution.restoration).toMatch(/may not recover it; all versions were imported/);
  });

  it('a purged key is imported again', async () => {
    const name = await kmsName();
    await vault.deleteKey(name, inTime());
    vault.purge(name);
    await house.look(reference);
    expect(await settle(world, house)).toBe(true);
    expect(await kmsName()).toBe(name);
    expect((await held()).map(({ tags }) => tags['keyfleet-version'])).toEqual(['1', '2']);
  });

  it('a purged key whose name somebody else took: theirs is left alone', async () => {
    const name = await kmsName();
    await vault.deleteKey(name, inTime());
    vault.purge(name);
    vault.putForeign(name, foreignKey);
    const [theirs] = vault.held.get(name) ?? [];
    await house.look(reference);
    expect(await settle(world, house)).toBe(true);
    expect(await kmsName()).not.toBe(name);
    expect(vault.held.get(name)).toEqual([theirs]);
    expect((await held()).map(({ tags }) => tags['keyfleet-version'])).toEqual(['1', '2']);
  });

  it.each(['report', 'ignore'])(
    'with "%s" a deleted key stays deleted, and whoever rotates is told',
    async (policy) => {
      await setPolicy(policy);
      const name = await kmsName();
      await vault.deleteKey(name, inTime());
      await house.look(reference);
      const { warnings } = await house.keys.rotate(key, waiting);
      expect(warnings.join(' ')).toContain('version 1: it is not there');
      expect(await settle(world, house)).toBe(true);
      expect(vault.held.get(name)).toBeUndefined();
      await house.distributions.write(reference, fields, waiting);
      expect(await settle(world, house)).toBe(true);
      expect((await held()).map(({ tags }) => tags['keyfleet-version'])).toEqual(['1', '2', '3']);
    },
  );

  it('a foreign version on top is reported and left alone; a rotation puts ours above it', async () => {
    world.pass(5);
    vault.putForeign(await kmsName(), foreignKey);
    const before = await picture();
    await house.look(reference);
    expect((await distribution()).distribution.strays).toEqual(['foreign', 'foreign-on-top']);
    expect((await house.distributions.read(reference))?.warnings.join(' ')).toContain('was not made by Keyfleet');
    expect(await settle(world, house)).toBe(true);
    expect(await picture()).toEqual(before);
    world.pass(5);
    await house.keys.rotate(key, waiting);
    await settle(world, house);
    await house.look(reference);
    expect((await distribution()).distribution.strays).toEqual(['foreign']);
  });

  it('a version with our tags and other material is reported, not adopted', async () => {
    const { tags } = await version(2);
    vault.putForeign(await kmsName(), foreignKey, tags);
    await house.look(reference);
    const { strays } = (await distribution()).distribution;
    expect(strays).toContain('impostor');
    expect(strays).toContain('foreign-on-top');
    expect(await deviationsOf(2)).toBeUndefined();
  });

  it('of two versions of ours with one number the later one counts, and both are kept in step', async () => {
    const { tags, publicKey } = await version(2);
    world.pass(5);
    vault.putForeign(await kmsName(), publicKey, tags);
    await house.look(reference);
    const second = (await held()).at(-1)?.version;
    expect((await distribution()).placements[1]?.kmsVersion).toBe(second);
    expect((await distribution()).placements[1]?.duplicates).toHaveLength(1);
    await house.keys.rotate(key, waiting);
    await house.keys.write(key, { minEnabledVersion: 3 }, waiting);
    expect(await settle(world, house)).toBe(true);
    expect((await held()).map(({ enabled }) => enabled)).toEqual([false, false, false, true]);
  });

  it('an import under way is nobody’s finding', async () => {
    await house.keys.rotate(key, waiting);
    const original: TargetVault['importWrapped'] = vault.importWrapped;
    vault.importWrapped = async (...args) => {
      const imported = await original(...args);
      await house.look(reference);
      return imported;
    };
    expect(await settle(world, house)).toBe(true);
    expect((await distribution()).distribution.strays).toBeUndefined();
    expect((await held()).map(({ tags }) => tags['keyfleet-version'])).toEqual(['1', '2', '3']);
  });

  it('nothing is concluded from a look that failed', async () => {
    await change(2, { enabled: false });
    const before = await distribution();
    vault.listVersions = () => Promise.reject(new AzureFailure('unavailable', 'away'));
    await expect(house.look(reference)).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await distribution()).toEqual(before);
  });

  it('a list that lost a version is not believed: the version is asked for by its id', async () => {
    const original = vault.listVersions;
    vault.listVersions = async (name) => (await original(name)).slice(1);
    await house.look(reference);
    expect(await deviationsOf(1)).toBeUndefined();
    vault.listVersions = async () => [];
    await house.look(reference);
    expect((await distribution()).placements.map(({ deviations }) => deviations)).toEqual([undefined, undefined]);
  });

  it('without the list permission every version is read by its id', async () => {
    vault.listVersions = () => Promise.reject(new AzureFailure('forbidden', 'no list'));
    await change(1, { enabled: true });
    const calls = countCalls();
    await house.look(reference);
    expect(await deviationsOf(1)).toEqual(['enabled']);
    expect(calls()).toMatchObject({ getKey: 1, getKeyVersion: 1 });
    vault.putForeign(await kmsName(), foreignKey);
    await house.look(reference);
    expect((await distribution()).distribution.strays).toEqual(['foreign', 'foreign-on-top']);
  });
});
