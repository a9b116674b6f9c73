import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWorld, type MemoryWorld } from '../../support/house.ts';
import type { HeldVersion } from '../../support/memory-vault.ts';
import { runsOf } from '../../support/runs.ts';
import { vault } from '../../support/world-scene.ts';
import { combinationsProperty, deeds, type CombinationsTally, type Deed } from '../support/oddity-combinations.ts';

/** What Key Vault itself never does, and a stand-in of it can't. */
function impossibleDeeds(world: () => MemoryWorld): Readonly<Record<string, Deed>> {
  const lose =
    (which: (count: number) => number): Deed =>
    async ({ kmsName }) => {
      const held = (world()
        .vault(vault)
        .held.get(await kmsName()) ?? []) as HeldVersion[];
      if (held.length > 1) held.splice(which(held.length), 1);
    };
  return {
    'newest lost': lose((count) => count - 1),
    'oldest lost': lose(() => 0),
    'list unordered'() {
      const bent = world().vault(vault);
      const original = bent.listVersions;
      bent.listVersions = async (name) => (await original(name)).reverse();
    },
  };
}

describe('one to three oddities in any order', () => {
  it('come to agreement or to something stable that has a name, and nothing of anybody else is touched', async () => {
    const tally: CombinationsTally = { cases: 0, changes: 0, harm: 0, ends: {} };
    let world = createWorld();
    const open = () => (world = createWorld());
    const possible = { ...deeds, ...impossibleDeeds(() => world) };
    const runs = runsOf({ usually: 300, long: 5_000 });
    await fc.assert(combinationsProperty(open, possible, tally), runs);
    console.log(JSON.stringify(tally));
    expect(tally).toMatchObject({ cases: runs.numRuns, harm: 0 });
  }, 600_000);
});
