import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { providerNames, vaultOf } from '../../support/invariants.ts';
import { startRealWorlds, type RealWorlds } from '../../support/real-world.ts';
import { runsOf } from '../../support/runs.ts';
import { combinationsProperty, deeds, type CombinationsTally } from '../support/oddity-combinations.ts';

let worlds: RealWorlds;

beforeAll(async () => {
  worlds = await startRealWorlds({ vaults: providerNames.map(vaultOf) });
}, 60_000);

afterAll(() => worlds.stop());

describe('over Key Vault, Table Storage and Service Bus', () => {
  it('one to three oddities come to agreement or to something stable that has a name', async () => {
    const tally: CombinationsTally = { cases: 0, changes: 0, harm: 0, ends: {} };
    const runs = runsOf({ usually: 2, long: 50 });
    await fc.assert(combinationsProperty(worlds.open, deeds, tally), { ...runs, endOnFailure: true });
    console.log(JSON.stringify(tally));
    expect(tally).toMatchObject({ cases: runs.numRuns, harm: 0 });
    expect(tally.changes).toBeGreaterThan(0);
  }, 1_800_000);
});
