import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { KeyItem, TargetVault } from '../../../src/key-vault/target-vault.ts';
import { digestOf, listVault } from '../../../src/reconcile/drift/listing.ts';
import { ownerOf } from '../../../src/reconcile/target.ts';
import { tagNames } from '../../../src/reconcile/version-marks.ts';
import { heldPrefix, providerPartition } from '../../../src/state/providers.ts';
import { maxActions } from '../../../src/state/table.ts';
import { createWorld, openHouse } from '../../support/house.ts';
import { mount, vaultOf, writeProviders } from '../../support/invariants.ts';

const reference = { mount, provider: 'p' };
const pageSize = 25;
const updatedTime = new Date('2026-01-01T00:00:00Z');

/** Keys as a list shows them, in an order that is not that of their names. */
function itemsOf(count: number): KeyItem[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `k${(index * 7919) % count}-1`,
    enabled: true,
    tags: { [tagNames.owner]: ownerOf(mount, 'p', `k${(index * 7919) % count}`) },
    updatedTime,
  }));
}

async function* pagesOf<Item>(items: readonly Item[], size = pageSize): AsyncIterable<readonly Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

/** Calls of a pass over a vault that shows what is remembered of it. */
async function passOver(count: number): Promise<{ calls: number; pages: number }> {
  const world = createWorld();
  const house = openHouse(world);
  await writeProviders(house);
  const items = itemsOf(count);
  let pages = 0;
  world.vault(vaultOf('p')).listKeys = async function* () {
    for await (const page of pagesOf(items)) {
      pages++;
      yield page;
    }
  };
  const rows = items.map((item) => ({
    kind: 'insert' as const,
    row: heldPrefix + item.name.slice(0, -2),
    properties: { kmsName: item.name, seen: digestOf(item) },
  }));
  for await (const actions of pagesOf(rows, maxActions)) {
    expect(await world.openTable('providers').transact(providerPartition(reference), actions)).toBe(true);
  }
  await house.check(reference);
  world.pass(900);
  pages = 0;
  const before = house.interruptions.calls;
  await house.check(reference);
  const calls = house.interruptions.calls - before;
  const status = await house.status(reference, { limit: 1 });
  expect(status?.inspection).toMatchObject({ lightTime: world.now(), extraCount: 0 });
  return { calls, pages };
}

describe('a pass over a vault in which nothing changed', () => {
  it('costs a list page for 25 keys, a query for 1,000, and six calls however many there are', async () => {
    for (const count of [1_000, 4_000]) {
      const { calls, pages } = await passOver(count);
      console.log(`${count} keys: ${pages} pages, ${calls} calls in all`);
      expect(pages).toBe(count / pageSize);
      // The last query and the last page are found to be the last by what follows them: nothing.
      expect(calls - pages - 1).toBe(count / 1_000 + 1 + 4);
    }
  });
});

describe('a listing in which everything changed', () => {
  it('has no more keys in memory at once than it may, and picks them all', async () => {
    const items = itemsOf(20_100);
    const held = items.map(({ name }) => ({ key: name.slice(0, -2), etag: 'e', kmsName: name, seen: 'a'.repeat(16) }));
    const picked: number[] = [];
    await listVault({
      vault: { listKeys: () => pagesOf(items) } as unknown as TargetVault,
      reference,
      held: () => pagesOf(held, 1000),
      judgeAnew: false,
      async examine(suspects) {
        let count = 0;
        for await (const page of suspects) {
          count += page.length;
          for (const { held: entry, item } of page) expect(item?.name).toBe(entry.kmsName);
        }
        picked.push(count);
      },
      until: new Date(1),
      now: () => new Date(0),
    });
    expect(picked).toEqual([20_000, 100]);
  });
});

it('names the first hundred extra keys and counts the others; those that were named before are not read again', async () => {
  const world = createWorld();
  const house = openHouse(world);
  await writeProviders(house);
  const vault = world.vault(vaultOf('p'));
  const publicKey = createPublicKey(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
  for (let index = 0; index < 130; index++) {
    vault.putForeign(`stray-${index}`, publicKey, { [tagNames.owner]: ownerOf(mount, 'p', `gone-${index}`) });
  }
  let reads = 0;
  const getKey = vault.getKey;
  vault.getKey = (name) => {
    reads++;
    return getKey(name);
  };
  const inspect = async () => (await house.status(reference, { limit: 1 }))?.inspection;
  await house.check(reference);
  const first = await inspect();
  expect(first?.extras).toHaveLength(100);
  expect(first?.extraCount).toBe(130);
  expect(reads).toBe(100);

  // The next in line takes its place.
  await vault.deleteKey(first?.extras[3] ?? '', { deadline: new Date(world.now().getTime() + 1000) });
  reads = 0;
  world.pass(900);
  await house.check(reference);
  const second = await inspect();
  expect(second?.extras).toHaveLength(100);
  expect(second?.extraCount).toBe(129);
  expect(reads).toBe(1);
});
