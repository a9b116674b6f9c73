import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { AzureFailure } from '../../src/azure-failure.ts';
import type { TargetVault } from '../../src/key-vault/target-vault.ts';
import { createWorld, openHouse, settle, type House, type MemoryWorld } from '../support/house.ts';
import { mount, vaultOf, writeProviders } from '../support/invariants.ts';
import type { MemoryVault } from '../support/memory-vault.ts';

const key = { mount, key: 'a' };
const distribution = { ...key, provider: 'p' };
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
});

const kmsName = async () => (await house.distributions.read(distribution))?.kmsName ?? '';
const warnings = async () => (await house.distributions.read(distribution))?.warnings.join(' ');
const ordinals = async () => vault.held.get(await kmsName())?.map(({ tags }) => tags['keyfleet-version']);

/** The next call of `method` does its work, and the reply is lost. */
function loseReply(method: 'importWrapped'): void {
  const original: TargetVault[typeof method] = vault[method];
  vault[method] = async (...args) => {
    vault[method] = original;
    await original(...args);
    throw new AzureFailure('unknown-outcome', 'the reply was lost');
  };
}

function fail(method: 'importWrapped' | 'listVersions' | 'getKey', failure: AzureFailure): () => void {
  const original = vault[method];
  (vault[method] as unknown) = () => Promise.reject(failure);
  return () => void ((vault[method] as unknown) = original);
}

describe('what a vault may come up with', () => {
  it('a lost reply: the version is found and adopted, not imported again', async () => {
    loseReply('importWrapped');
    await house.distributions.write(distribution, fields, waiting);
    expect(await settle(world, house)).toBe(true);
    expect(await ordinals()).toEqual(['1']);
    expect(await warnings()).toBe('');
  });

  it('a foreign key under the name: left alone, and another name is used', async () => {
    await house.distributions.write(distribution, fields, waiting);
    const name = await kmsName();
    vault.putForeign(name, foreignKey);
    expect(await settle(world, house)).toBe(true);
    expect(await warnings()).toBe('');
    expect(await kmsName()).not.toBe(name);
    expect(await ordinals()).toEqual(['1']);
    await house.distributions.delete(distribution, waiting);
    expect(await settle(world, house)).toBe(true);
    expect([...vault.held.keys()].filter((held) => !held.startsWith('keyfleet-kek'))).toEqual([name]);
    expect(vault.held.get(name)).toHaveLength(1);
  });

  it('two keys of one name, in two mounts, for one vault within a second: two names', async () => {
    const other = { mount: 'other-mount', key: 'a', provider: 'p' };
    await house.providers.write(other, {
      provider: 'azurekeyvault',
      keyCollection: vaultOf('p'),
      credentials: { tenant_id: 't' },
    });
    await house.keys.write(other, {}, waiting);
    for (const reference of [distribution, other]) await house.distributions.write(reference, fields, waiting);
    expect(await settle(world, house)).toBe(true);
    const names = await Promise.all([distribution, other].map((reference) => house.distributions.read(reference)));
    expect(new Set(names.map((view) => view?.kmsName)).size).toBe(2);
    expect(names.map((view) => view?.versions.size)).toEqual([1, 1]);
  });

  it('a foreign version on top of ours, and a lost reply: ours is found below', async () => {
    await house.distributions.write(distribution, fields, waiting);
    expect(await settle(world, house)).toBe(true);
    await house.keys.rotate(key, waiting);
    loseReply('importWrapped');
    for (const { reference } of world.queue.splice(0)) await house.reconcile(reference);
    vault.putForeign(await kmsName(), foreignKey);
    expect(await settle(world, house)).toBe(true);
    expect(await ordinals()).toEqual(['1', '2', undefined]);
    expect(await warnings()).toBe('');
  });

  it('the same without the list permission: nothing is guessed, and what is missing is named', async () => {
    await house.distributions.write(distribution, fields, waiting);
    expect(await settle(world, house)).toBe(true);
    await house.keys.rotate(key, waiting);
    loseReply('importWrapped');
    for (const { reference } of world.queue.splice(0)) await house.reconcile(reference);
    vault.putForeign(await kmsName(), foreignKey);
    const grant = fail('listVersions', new AzureFailure('forbidden', 'the principal lacks the key permission "list"'));
    world.pass(10);
    for (const { reference } of world.queue.splice(0)) await house.reconcile(reference);
    expect(await warnings()).toContain('"list"');
    expect(await ordinals()).toEqual(['1', '2', undefined]);
    grant();
    expect(await settle(world, house)).toBe(true);
    expect(await ordinals()).toEqual(['1', '2', undefined]);
    expect(await warnings()).toBe('');
  });

  it('a refused permission: tried again with growing pauses, and at once when asked', async () => {
    const grant = fail(
      'importWrapped',
      new AzureFailure('forbidden', 'the principal lacks the key permission "import"'),
    );
    await house.distributions.write(distribution, fields, waiting);
    const tries: number[] = [];
    const counted = vault.importWrapped;
    vault.importWrapped = (...args) => {
      tries.push(world.now().getTime() / 1000);
      return counted(...args);
    };
    for (let minute = 0; minute < 20; minute++) {
      for (const { reference } of world.queue.splice(0)) await house.reconcile(reference);
      world.pass(60);
      await house.sweep();
    }
    const pauses = tries.slice(1).map((time, index) => time - (tries[index] ?? 0));
    expect(pauses).toEqual([60, 120, 240, 480]);
    grant();
    await house.distributions.write(distribution, fields, waiting);
    for (const { reference } of world.queue.splice(0)) await house.reconcile(reference);
    expect(await ordinals()).toEqual(['1']);
  });

  it('a vault that throttles and says for how long is left alone for that long', async () => {
    const free = fail('getKey', new AzureFailure('throttled', 'busy', { retryAfterSeconds: 40 }));
    await house.distributions.write(distribution, fields, waiting);
    for (const { reference } of world.queue.splice(0)) await house.reconcile(reference);
    expect(world.queue.map(({ time }) => (time.getTime() - world.now().getTime()) / 1000)).toEqual([40]);
    expect(await warnings()).toContain('busy');
    free();
    expect(await settle(world, house)).toBe(true);
    expect(await ordinals()).toEqual(['1']);
  });

  it('a key exchange key that somebody altered is not used', async () => {
    await house.distributions.write(distribution, fields, waiting);
    expect(await settle(world, house)).toBe(true);
    const [kek] = [...vault.held.entries()].find(([name]) => name.startsWith('keyfleet-kek-'))?.[1] ?? [];
    if (kek) kek.operations = ['import', 'decrypt'];
    world.pass(120);
    await expect(house.keys.rotate(key, waiting)).rejects.toMatchObject({
      code: 'upstream_refused',
      message: expect.stringContaining('only import is safe') as string,
    });
    expect((await house.keys.read(key))?.latestVersion).toBe(1);
  });

  it('a deleted key exchange key: another one is made', async () => {
    await house.distributions.write(distribution, fields, waiting);
    expect(await settle(world, house)).toBe(true);
    const name = [...vault.held.keys()].find((held) => held.startsWith('keyfleet-kek-')) ?? '';
    await vault.deleteKey(name, { deadline: new Date(world.now().getTime() + 1000) });
    world.pass(120);
    await house.keys.rotate(key, waiting);
    expect(await settle(world, house)).toBe(true);
    expect(await ordinals()).toEqual(['1', '2']);
  });

  it('distributed, removed and distributed again within a second: the deleted name is not used again', async () => {
    for (let round = 0; round < 2; round++) {
      await house.distributions.write(distribution, fields, waiting);
      for (const { reference } of world.queue.splice(0)) await house.reconcile(reference);
      if (round > 0) break;
      await house.distributions.delete(distribution, waiting);
      for (const { reference } of world.queue.splice(0)) await house.reconcile(reference);
    }
    expect(await settle(world, house)).toBe(true);
    expect(await ordinals()).toEqual(['1']);
  });

  it('leaves nothing to do behind once a key is removed', async () => {
    await house.distributions.write(distribution, fields, waiting);
    for (const { reference } of world.queue.splice(0)) await house.reconcile(reference);
    await house.distributions.delete(distribution, waiting);
    for (const { reference } of world.queue.splice(0)) await house.reconcile(reference);
    expect(await house.state.intents.list()).toEqual([]);
  });
});
