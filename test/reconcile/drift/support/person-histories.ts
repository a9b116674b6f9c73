import fc from 'fast-check';
import { expect } from 'vitest';
import { openHouse, settle, type House, type World } from '../../../support/house.ts';
import { mount, vaultOf, writeProviders } from '../../../support/invariants.ts';
import { isForeign, personIn } from '../../../support/persons.ts';

const provider = { mount, provider: 'p' };
const keyNames = ['a', 'b'];
const waiting = { preferAsync: true };
const vault = vaultOf('p');

/** What histories came to, all together. */
export interface PersonsTally {
  cases: number;
  deviations: number;
  passes: number;
}

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

/** @returns whether there was something to do it to */
async function perform(world: World, house: House, { kind, key, version }: Deed): Promise<boolean> {
  const name = (await house.distributions.read({ ...provider, key: keyNames[key] ?? 'a' }))?.kmsName ?? '';
  const held = world.contents(vault).get(name) ?? [];
  const found = held[version % Math.max(1, held.length)];
  if (found === undefined) return false;
  const person = personIn(world, vault);
  switch (kind) {
    case 'turn':
      await person.change(name, found, { enabled: !found.enabled });
      break;
    case 'operations':
      await person.change(name, found, { operations: ['verify'] });
      break;
    case 'tags':
      await person.change(name, found, { tags: { else: 'where' } });
      break;
    case 'foreign':
      await world.putForeign(vault, name);
      break;
    case 'delete':
    case 'purge':
      await person[kind](name);
  }
  return true;
}

const picture = (world: World) =>
  [...world.contents(vault)].map(([name, versions]) => [
    name,
    versions.map(({ version, enabled, operations, tags }) => ({ version, enabled, operations, tags })),
  ]);

/** Never more wrong than it was found: what was of use before a change of ours is so after it, and foreign ones stay. */
function watch(world: World): () => void {
  const touched: string[] = [];
  world.watch({
    async before({ action, keyName, version }, contents) {
      const versions = contents.get(keyName) ?? [];
      const target = versions.find((entry) => entry.version === version);
      if (target !== undefined && isForeign(target)) touched.push(`changed ${keyName}/${version}`);
      if (action === 'delete') touched.push(`deleted ${keyName}`);
      if (action !== 'disable' || target?.enabled !== true) return;
      const left = versions.filter((entry) => entry.enabled && entry !== target && !isForeign(entry));
      if (left.length === 0) touched.push(`disabled the last one of ${keyName}`);
    },
  });
  return () => expect(touched).toEqual([]);
}

async function expectAgreement(world: World, house: House): Promise<void> {
  for (const key of keyNames) {
    const state = await house.state.keys.read({ mount, key });
    const name = (await house.distributions.read({ ...provider, key }))?.kmsName ?? '';
    const held = (world.contents(vault).get(name) ?? []).filter((entry) => !isForeign(entry));
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

async function cycle(world: World, house: House, tally: PersonsTally): Promise<void> {
  // Long enough for a thorough pass: without it old versions aren't seen.
  world.pass(24 * 3600);
  await house.check(provider);
  tally.passes++;
  expect(await settle(world, house)).toBe(true);
}

/** In each world that `open` opens, what a person does is undone or left as it is, as the policy says. */
export function personsProperty(open: () => World | Promise<World>, tally: PersonsTally) {
  return fc.asyncProperty(history, async ({ policy, versions, minimum, deeds }) => {
    const world = await open();
    const house = openHouse(world);
    await writeProviders(house);
    await world.reuseExchangeKeys(house);
    await house.providers.write(provider, { drift: policy });
    for (const key of keyNames) {
      await house.keys.write({ mount, key }, {}, waiting);
      for (let version = 2; version <= versions; version++) await house.keys.rotate({ mount, key }, waiting);
      await house.keys.write({ mount, key }, { minEnabledVersion: Math.min(minimum, versions) }, waiting);
      await house.distributions.write({ ...provider, key }, { purpose: ['sign'], protection: 'hsm' }, waiting);
    }
    expect(await settle(world, house)).toBe(true);
    await cycle(world, house, tally);
    const expectHarmless = watch(world);
    for (const one of deeds) {
      world.pass(3);
      if (await perform(world, house, one)) tally.deviations++;
    }
    const before = picture(world);
    for (let round = 0; round < 3; round++) await cycle(world, house, tally);
    expectHarmless();
    if (policy === 'repair') await expectAgreement(world, house);
    else expect(picture(world)).toEqual(before);
    expect(await house.state.intents.list()).toEqual([]);
    tally.cases++;
  });
}
