import { expect, it } from 'vitest';
import { createWorld, openHouse, settle } from '../../support/house.ts';
import { mount, vaultOf, writeProviders } from '../../support/invariants.ts';

const provider = { mount, provider: 'p' };
const waiting = { preferAsync: true };

it('a vault of 1,000 keys in which nothing changed costs 40 pages of the list and nothing else', async () => {
  const world = createWorld();
  const house = openHouse(world);
  const vault = world.vault(vaultOf('p'));
  await writeProviders(house);
  // The thousandth is the key exchange key.
  for (let index = 1; index < 1000; index++) {
    const key = `k${index}`;
    await house.keys.write({ mount, key }, {}, waiting);
    await house.distributions.write({ ...provider, key }, { purpose: ['sign'], protection: 'hsm' }, waiting);
    if (index % 50 === 0) await settle(world, house);
  }
  expect(await settle(world, house)).toBe(true);
  await house.check(provider);
  const status = await house.status(provider, { limit: 1000 });
  expect(status?.keys.every(({ versions }) => versions.every(({ state }) => state === 'confirmed'))).toBe(true);

  const calls: Record<string, number> = {};
  const count = (name: string) => void (calls[name] = (calls[name] ?? 0) + 1);
  const list = vault.listKeys;
  vault.listKeys = async function* () {
    for await (const page of list()) {
      count('list page');
      yield page;
    }
  };
  for (const method of ['getKey', 'getKeyVersion', 'listVersions', 'updateVersion', 'importWrapped'] as const) {
    const original = vault[method] as (...args: unknown[]) => unknown;
    (vault[method] as unknown) = (...args: unknown[]) => {
      count(method);
      return original(...args);
    };
  }
  world.pass(900);
  await house.check(provider);
  console.log(
    `1000 keys: ${JSON.stringify(calls)}, ${(calls['list page'] ?? 0) / Math.ceil(1000 / 25)} times the fewest`,
  );
  expect(calls).toEqual({ 'list page': Math.ceil(1000 / 25) });
}, 60_000);
