import { describe, expect, test } from 'vitest';
import { createMountStore, type MountStore } from '../../src/state/mounts.ts';
import { createMemoryTable } from '../support/memory-table.ts';
import { sampleMount } from '../vault-api/support/harness.ts';
import { createMemoryMountStore } from '../vault-api/support/memory-stores.ts';

/** The store and its twin, which must not differ. */
const stores: [string, () => MountStore][] = [
  ['over a table', () => createMountStore(createMemoryTable())],
  ['in memory', () => createMemoryMountStore()],
];

describe.each(stores)('mounts %s', (_where, create) => {
  const keys = sampleMount();
  const team = sampleMount({ path: 'team/a.b-c/', uuid: 'team' });

  test('are kept whole', async () => {
    const store = create();
    expect((await store.read()).mounts).toEqual([]);
    expect(await store.insert(keys, (await store.read()).revision)).toBe(true);
    expect(await store.insert(team, (await store.read()).revision)).toBe(true);
    expect((await store.read()).mounts).toEqual([keys, team]);
    expect(await store.remove(keys.path, (await store.read()).revision)).toBe(true);
    expect((await store.read()).mounts).toEqual([team]);
  });

  test('are replaced, each alone', async () => {
    const store = create();
    await store.insert(keys, (await store.read()).revision);
    await store.insert(team, (await store.read()).revision);
    const tuned = { ...team, description: 'of the team', maxLeaseTtlSeconds: 60 };
    expect(await store.replace(tuned.path, tuned, (await store.read()).revision)).toBe(true);
    expect((await store.read()).mounts).toEqual([keys, tuned]);
  });

  test('change at the revision that was read, or not at all', async () => {
    const store = create();
    await store.insert(keys, (await store.read()).revision);
    const { revision } = await store.read();
    await store.replace(keys.path, { ...keys, description: 'first' }, revision);
    expect(await store.replace(keys.path, { ...keys, description: 'second' }, revision)).toBe(false);
    expect(await store.insert(team, revision)).toBe(false);
    expect(await store.remove(keys.path, revision)).toBe(false);
    expect((await store.read()).mounts).toEqual([{ ...keys, description: 'first' }]);
  });
});
