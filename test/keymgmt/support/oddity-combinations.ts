import fc from 'fast-check';
import { expect } from 'vitest';
import type { DriftPolicy } from '../../../src/state/providers.ts';
import { fixtures } from '../../support/fixtures.ts';
import { isForeign } from '../../support/persons.ts';
import { permissions, type World } from '../../support/world.ts';
import { agreed, distribution, openScene, provider, vault, type WorldScene } from '../../support/world-scene.ts';

export type Deed = (scene: WorldScene) => unknown;

/** Passes after it: what holds then holds on. */
const rounds = 4;

/**
 * A version among ours. Where the key is gone it would be a key in its place, and whoever makes that just before we import
 * can't be told from one who does so just after we looked: versions are imported without a look at each.
 */
const putForeign = async ({ world, kmsName, held }: WorldScene, tags?: Readonly<Record<string, string>>) => {
  if ((await held()).length > 0) await world.putForeign(vault, await kmsName(), tags);
};

/** A version of ours, imported once more by somebody who has its material. */
async function importAgain({ world, held, kmsName }: WorldScene): Promise<void> {
  const newest = (await held()).at(-1);
  const pair = fixtures().pairs.find(({ publicKey }) => publicKey.toString('base64') === newest?.publicKey);
  if (newest === undefined || pair === undefined) return;
  const deadline = new Date(world.now().getTime() + 10_000);
  const options = { operations: ['sign'], enabled: true, tags: { ...newest.tags }, deadline };
  await world.openAsPerson(vault).importPlain(await kmsName(), Buffer.from(pair.privateKey), options);
}

/** What may happen, to a key of up to four versions. */
export const deeds: Readonly<Record<string, Deed>> = {
  'newest disabled': async (scene) => scene.change((await scene.held()).length, { enabled: false }),
  'oldest enabled': (scene) => scene.change(1, { enabled: true }),
  'all disabled': async ({ held, change }) => {
    for (const [index] of (await held()).entries()) await change(index + 1, { enabled: false });
  },
  'tags removed': (scene) => scene.change(1, { tags: {} }),
  'tags of the newest removed': async (scene) => scene.change((await scene.held()).length, { tags: {} }),
  'tags copied': async (scene) => putForeign(scene, (await scene.held()).at(-1)?.tags),
  'operations changed': (scene) => scene.change(1, { operations: ['verify'] }),
  'key deleted': (scene) => scene.deleteKey(),
  'key purged': (scene) => scene.purgeKey(),
  'key recovered': async ({ world, kmsName }) => {
    const deadline = new Date(world.now().getTime() + 10_000);
    await world.openAsPerson(vault).recoverKey(await kmsName(), { deadline });
  },
  'version on top': (scene) => putForeign(scene),
  'another key': ({ world }) => world.putForeign(vault, 'theirs'),
  'key exchange key deleted': (scene) => scene.deleteKey(scene.exchangeKeyName()),
  'our newest once more': importAgain,
  'list withdrawn': (scene) => scene.withdraw('list'),
  'get withdrawn': (scene) => scene.withdraw('get'),
  'import withdrawn': (scene) => scene.withdraw('import'),
  'update withdrawn': (scene) => scene.withdraw('update'),
  'recover withdrawn': (scene) => scene.withdraw('recover'),
  'all withdrawn': (scene) => scene.withdraw(...permissions),
  'vault away': (scene) => scene.fail('no-such-vault'),
  'vault busy': (scene) => scene.fail('throttled'),
  'time passes': async (scene) => scene.cycle(),
  rotation: (scene) => scene.rotate().catch(() => undefined),
  'minimum raised': (scene) => scene.setMinimum(2).catch(() => undefined),
};

/** What combinations came to, all together. */
export interface CombinationsTally {
  cases: number;
  changes: number;
  harm: number;
  ends: Record<string, number>;
}

/** Foreign versions as they lie there, whoever's key they are in. */
const foreignOnes = ({ world }: WorldScene) =>
  [...world.contents(vault)].flatMap(([name, versions]) =>
    versions
      .filter(isForeign)
      .map(({ version, enabled, operations, tags }) => ({ name, version, enabled, operations, tags })),
  );

/** What it came to, in a word; fails if that has no name. */
async function endOf(scene: WorldScene, policy: DriftPolicy): Promise<string> {
  const { house } = scene;
  const status = await house.status(provider, { limit: 10 });
  const view = await house.distributions.read(distribution);
  const [entry] = status?.keys ?? [];
  const states = new Set(entry?.versions.map(({ state }) => state));
  const reasons = [...(entry?.notes ?? []), ...(view?.warnings ?? []), status?.inspection?.failure ?? ''].join('; ');
  for (const version of entry?.versions ?? []) {
    if (version.state !== 'confirmed' && version.state !== 'imported') {
      expect(version.reason ?? reasons, `why version ${version.version} is ${version.state}`).not.toBe('');
    }
  }
  for (const state of ['unknown', 'refused', 'missing', 'drifted', 'pending', 'imported'] as const) {
    if (states.has(state)) {
      // What is to be repaired and isn't is refused by the vault, which is said.
      if (state === 'drifted' && policy === 'repair') expect(reasons).not.toBe('');
      return state;
    }
  }
  expect([...states], reasons).toEqual(['confirmed']);
  return reasons === '' ? 'agreement' : 'agreement with a report';
}

/** In each world that `open` opens, one to three of `possible` come to something that stays and has a name. */
export function combinationsProperty(
  open: () => World | Promise<World>,
  possible: Readonly<Record<string, Deed>>,
  tally: CombinationsTally,
) {
  const combination = fc.record({
    policy: fc.constantFrom<DriftPolicy>('repair', 'repair', 'report', 'ignore'),
    names: fc.array(fc.constantFrom(...Object.keys(possible)), { minLength: 1, maxLength: 3 }),
    isMended: fc.boolean(),
  });
  return fc.asyncProperty(combination, async ({ policy, names, isMended }) => {
    const scene = await agreed(await openScene(await open(), { versions: 2 }), 1);
    await scene.setPolicy(policy);
    for (const name of names) {
      scene.world.pass(3);
      await possible[name]?.(scene);
    }
    const foreign = foreignOnes(scene);
    if (isMended) scene.relent();
    for (let round = 0; round < rounds; round++) await scene.cycle();
    const [picture, end] = [await scene.picture(), await endOf(scene, policy)];
    await scene.cycle();
    expect([await scene.picture(), await endOf(scene, policy)], 'stable').toEqual([picture, end]);
    for (const one of foreign) expect(foreignOnes(scene)).toContainEqual(one);
    expect(scene.harm).toEqual([]);
    if (isMended && policy === 'repair')
      expect(['agreement', 'agreement with a report', 'missing', 'refused']).toContain(end);
    tally.cases++;
    tally.changes += scene.changes.length;
    tally.harm += scene.harm.length;
    tally.ends[end] = (tally.ends[end] ?? 0) + 1;
  });
}
