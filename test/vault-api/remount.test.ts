import { beforeEach, describe, expect, test } from 'vitest';
import type { MountStore } from '../../src/state/mounts.ts';
import { createMountStore } from '../../src/state/mounts.ts';
import { createMemoryTable } from '../support/memory-table.ts';
import { createHarness, type Harness } from './support/harness.ts';
import { createMemoryMountStore } from './support/memory-stores.ts';
import { createSampleEngine } from './support/sample-engine.ts';

describe.each<[string, () => MountStore]>([
  ['over the real store', () => createMountStore(createMemoryTable())],
  ['over its twin', createMemoryMountStore],
])('moving a mount, %s', (_name, createStore) => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await createHarness({ engines: [createSampleEngine()], mounts: createStore() });
    for (const path of ['keymgmt', 'other']) {
      await harness.call('POST', `/v1/sys/mounts/${path}`, { body: { type: 'keymgmt' } });
    }
  });

  const paths = async () => Object.keys((await harness.call('GET', '/v1/sys/mounts')).json.data as object);
  const move = (from?: string, to?: string) => harness.call('POST', '/v1/sys/remount', { body: { from, to } });

  test('takes its data along, and tells that it is done', async () => {
    const before = await harness.call('GET', '/v1/sys/mounts/keymgmt');
    const { status, json } = await move('keymgmt/', '/team-a/keys');
    expect(status).toBe(200);
    expect(await paths()).toEqual(['other/', 'sys/', 'team-a/keys/']);
    const after = await harness.call('GET', '/v1/sys/mounts/team-a/keys');
    expect(after.json.data).toEqual(before.json.data);

    const { migration_id } = json.data as { migration_id: string };
    const told = await harness.call('GET', `/v1/sys/remount/status/${migration_id}`);
    expect(told.json.data).toEqual({
      migration_id,
      migration_info: { source_mount: 'keymgmt/', target_mount: 'team-a/keys/', status: 'success' },
    });
    await move('team-a/keys', 'keymgmt');
    expect((await harness.call('GET', `/v1/sys/remount/status/${migration_id}`)).status).toBe(404);
  });

  test.each([
    ['an unknown mount', 'nope', 'elsewhere', /no matching mount at "nope\/"/],
    ['a path in use', 'keymgmt', 'other', /already in use at other\//],
    ['a path below another mount', 'keymgmt', 'other/below', /already in use at other\//],
    ['a protected path', 'keymgmt', 'sys/keys', /cannot mount/],
    ['the system', 'sys', 'elsewhere', /no matching mount/],
    ['no source', undefined, 'elsewhere', /from is missing/],
    ['no target', 'keymgmt', '', /to is missing/],
  ])('refuses %s, and moves nothing', async (_case, from, to, words) => {
    const before = await paths();
    const { status, json } = await move(from, to);
    expect(status).toBe(400);
    expect((json.errors as string[])[0]).toMatch(words);
    expect(await paths()).toEqual(before);
  });

  test.each(['00', 'zz', '5b5d', '6e756c6c'])('knows nothing of a move called %s', async (id) => {
    expect((await harness.call('GET', `/v1/sys/remount/status/${id}`)).status).toBe(404);
  });
});
