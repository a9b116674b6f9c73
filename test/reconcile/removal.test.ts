import { expect, it } from 'vitest';
import { AzureFailure } from '../../src/azure-failure.ts';
import { createWorld, openHouse, settle } from '../support/house.ts';
import { mount, vaultOf, writeProviders } from '../support/invariants.ts';

it("somebody else's key under our name is not deleted, even where no list tells whose its versions are", async () => {
  const world = createWorld();
  const house = openHouse(world);
  const vault = world.vault(vaultOf('p'));
  const distribution = { mount, key: 'a', provider: 'p' };
  await writeProviders(house);
  await house.keys.write({ mount, key: 'a' }, {}, { preferAsync: true });
  await house.distributions.write(distribution, { purpose: ['sign'], protection: 'hsm' }, { preferAsync: true });
  expect(await settle(world, house)).toBe(true);
  const name = [...vault.held.keys()].find((held) => held.startsWith('a-')) ?? '';

  await vault.deleteKey(name, { deadline: new Date(world.now().getTime() + 1000) });
  vault.purge(name);
  await world.putForeign(vaultOf('p'), name, {});
  vault.listVersions = () => Promise.reject(new AzureFailure('forbidden', 'no'));
  await house.distributions.delete(distribution, { preferAsync: true });
  await settle(world, house);

  expect(vault.held.get(name)).toHaveLength(1);
  const state = await house.state.keys.read({ mount, key: 'a' });
  expect(state?.distributions[0]?.distribution.refusal?.reason).toMatch(/Keyfleet did not make/);
});
