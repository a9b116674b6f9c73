import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { providerNames, vaultOf } from '../../support/invariants.ts';
import { startRealWorlds, type RealWorlds } from '../../support/real-world.ts';
import { runsOf } from '../../support/runs.ts';
import { personsProperty } from './support/person-histories.ts';

let worlds: RealWorlds;

beforeAll(async () => {
  worlds = await startRealWorlds({ vaults: providerNames.map(vaultOf) });
}, 60_000);

afterAll(() => worlds.stop());

describe('over Key Vault, Table Storage and Service Bus', () => {
  it('what a person does to keys is undone within three cycles, or left exactly as it is, and never made worse', async () => {
    const tally = { cases: 0, deviations: 0, passes: 0 };
    const runs = runsOf({ usually: 3, long: 50 });
    await fc.assert(personsProperty(worlds.open, tally), { ...runs, endOnFailure: true });
    console.log(JSON.stringify(tally));
    expect(tally.cases).toBe(runs.numRuns);
    expect(tally.deviations).toBeGreaterThan(0);
  }, 1_800_000);
});
