import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { createWorld, openHouse, settle, type House, type MemoryWorld } from '../../support/house.ts';
import { mount, vaultOf, writeProviders } from '../../support/invariants.ts';
import type { MemoryVault } from '../../support/memory-vault.ts';
import { runsOf } from '../../support/runs.ts';

const provider = { mount, provider: 'p' };
const keyNames = ['a', 'b'];
const waiting = { preferAsync: true };
const foreignKey = createPublicKey(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
const counts = { cases: 0, deviations: 0, passes: 0 };

/** What a person does to a key in the vault. */
type Deed = {
  kind: 'turn' | 'operations' | 'tags' | 'delete' | 'purge' | 'foreign';
  key: number;
  version: number;
};

const deed: fc.Arbitrary<Deed> = fc.record({
  kind: fc.constantFrom('turn', 'turn', 'operations', 'tags', 'delete', 'purge', 'foreign'),
  key: fc.nat({ max: 1 }),
  version: fc.nat({ max: 2 }),
});
const history = fc.record({
  policy: fc.constantFrom('repair' as const, 'report' as const, 'ignore' as const),
  versions: fc.integer({ min: 1, max: 3 }),
  minimum: fc.nat({ max: 3 }),
  deeds: fc.array(deed, { minLength: 1, maxLength: 6 }),
});

async function perform(world: MemoryWorld, house: House, vault: MemoryVault, { kind, key, version }: Deed) {
  const name = (await house.distributions.read({ ...provider, key: keyNames[key] ?? 'a' }))?.kmsName ?? '';
  const held = vault.held.get(name) ?? [];
  const found = held[version % Math.max(1, held.length)];
  if (found === undefined) return;
  counts.deviations++;
  switch (kind) {
    case 'turn':
      return vault.change(name, found.version, { enabled: !found.enabled });
    case 'operations':
      return vault.change(name, found.version, { operations: ['verify'] });
    case 'tags':
      return vault.change(name, found.version, { tags: { else: 'where' } });
    case 'foreign':
      return vault.putForeign(name, foreignKey, {});
    case 'delete':
    case 'purge':
      await vault.deleteKey(name, { deadline: new Date(world.now().getTime() + 1000) });
      if (kind === 'purge') vault.purge(name);
  }
}

const picture = (vault: MemoryVault) =>
  [...vault.held].map(([name, versions]) => [
    name,
    versions.map(({ version, enabled, operations, tags }) => ({ version, enabled, operations, tags })),
  ]);

/** Never more wrong than it was found: what was of use before a change of ours is so after it, and foreign ones stay. */
function watch(vault: MemoryVault): () => void {
  const touched: string[] = [];
  const update = vault.updateVersion;
  vault.updateVersion = (name, version, attributes) => {
    const versions = vault.held.get(name) ?? [];
    const target = versions.find((entry) => entry.version === version);
    if (target?.publicKey.equals(foreignKey) === true) touched.push(`changed ${name}/${version}`);
    if (!attributes.enabled && target?.enabled === true) {
      const left = versions.filter((entry) => entry.enabled && entry !== target && !entry.publicKey.equals(foreignKey));
      if (left.length === 0) touched.push(`disabled the last one of ${name}`);
    }
    return update(name, version, attributes);
  };
  const remove = vault.deleteKey;
  vault.deleteKey = (name, options) => {
    const isPerson = new Error().stack?.includes('perform') === true;
    if (!isPerson) touched.push(`deleted ${name}`);
    return remove(name, options);
  };
  return () => expect(touched).toEqual([]);
}

async function expectAgreement(house: House, vault: MemoryVault): Promise<void> {
  for (const key of keyNames) {
    const state = await house.state.keys.read({ mount, key });
    const name = (await house.distributions.read({ ...provider, key }))?.kmsName ?? '';
    const held = (vault.held.get(name) ?? []).filter((entry) => !entry.publicKey.equals(foreignKey));
    expect(held.map(({ tags }) => Number(tags['keyfleet-version']))).toEqual(
      state?.versions.map(({ version }) => version),
    );
    for (const [index, version] of held.entries()) {
      expect(version.enabled).toBe(index + 1 >= (state?.key.minEnabledVersion ?? 0));
      expect(version.operations).toEqual(['sign']);
    }
  }
  const status = await house.status(provider, { limit: 10 });
  for (const { versions } of status?.keys ?? []) {
    for (const version of versions) expect(version).toMatchObject({ state: 'confirmed' });
  }
}

async function cycle(world: MemoryWorld, house: House): Promise<void> {
  // Long enough for a thorough pass: without it old versions aren't seen.
  world.pass(24 * 3600);
  await house.check(provider);
  counts.passes++;
  expect(await settle(world, house)).toBe(true);
}

describe('what a person does to keys in a vault', () => {
  it('is undone within three cycles, or left exactly as it is, and never made worse', async () => {
    await fc.assert(
      fc.asyncProperty(history, async ({ policy, versions, minimum, deeds }) => {
        counts.cases++;
        const world = createWorld();
        const house = openHouse(world);
        const vault = world.vault(vaultOf('p'));
        await writeProviders(house);
        await house.providers.write(provider, { drift: policy });
        for (const key of keyNames) {
          await house.keys.write({ mount, key }, {}, waiting);
          for (let version = 2; version <= versions; version++) await house.keys.rotate({ mount, key }, waiting);
          await house.keys.write({ mount, key }, { minEnabledVersion: Math.min(minimum, versions) }, waiting);
          await house.distributions.write({ ...provider, key }, { purpose: ['sign'], protection: 'hsm' }, waiting);
        }
        expect(await settle(world, house)).toBe(true);
        await cycle(world, house);
        const expectHarmless = watch(vault);
        for (const one of deeds) {
          world.pass(3);
          await perform(world, house, vault, one);
        }
        const before = picture(vault);
        for (let round = 0; round < 3; round++) await cycle(world, house);
        expectHarmless();
        if (policy === 'repair') await expectAgreement(house, vault);
        else expect(picture(vault)).toEqual(before);
        expect(await house.state.intents.list()).toEqual([]);
      }),
      runsOf({ usually: 200, long: 10_000 }),
    );
  }, 600_000);

  afterAll(() => {
    console.log(`${counts.cases} cases, ${counts.deviations} deviations, ${counts.passes} passes`);
  });
});
