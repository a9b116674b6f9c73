import { expect, it } from 'vitest';
import { AzureFailure } from '../../src/azure-failure.ts';
import { createWorld, handleMessage, openHouse, settle } from '../support/house.ts';
import { mount, vaultOf, writeProviders } from '../support/invariants.ts';

it.each([
  { where: 'on top', isBelow: false },
  { where: 'below somebody else’s', isBelow: true },
])('an import whose end nobody saw, altered by people since, is found $where and mended', async ({ isBelow }) => {
  const world = createWorld();
  const house = openHouse(world);
  const vault = world.vault(vaultOf('p'));
  const key = { mount, key: 'a' };
  await writeProviders(house);
  await house.keys.write(key, {}, { preferAsync: true });
  const fields = { purpose: ['sign'], protection: 'hsm' };
  await house.distributions.write({ ...key, provider: 'p' }, fields, { preferAsync: true });
  expect(await settle(world, house)).toBe(true);
  const name = [...vault.held.keys()].find((held) => held.startsWith('a-')) ?? '';

  const { importWrapped } = vault;
  vault.importWrapped = async (...args) => {
    vault.importWrapped = importWrapped;
    await importWrapped(...args);
    throw new AzureFailure('unknown-outcome', 'the reply was lost');
  };
  await house.keys.rotate(key, { preferAsync: true });
  await handleMessage(world, house);
  const second = vault.held.get(name)?.at(-1)?.version ?? '';
  world.pass(1);
  vault.change(name, second, { operations: ['verify'] });
  if (isBelow) await world.putForeign(vaultOf('p'), name, {});

  expect(await settle(world, house)).toBe(true);
  expect(vault.held.get(name)).toHaveLength(isBelow ? 3 : 2);
  expect(vault.held.get(name)?.find(({ version }) => version === second)?.operations).toEqual(['sign']);
  const placements = (await house.state.keys.read(key))?.distributions[0]?.placements;
  expect(placements?.map(({ kmsVersion, deviations }) => [kmsVersion === second, deviations])).toEqual([
    [false, undefined],
    [true, undefined],
  ]);
});
