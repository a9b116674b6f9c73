import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWorld } from '../../support/house.ts';
import { runsOf } from '../../support/runs.ts';
import { personsProperty } from './support/person-histories.ts';

describe('what a person does to keys in a vault', () => {
  it('is undone within three cycles, or left exactly as it is, and never made worse', async () => {
    const tally = { cases: 0, deviations: 0, passes: 0 };
    await fc.assert(personsProperty(createWorld, tally), runsOf({ usually: 200, long: 10_000 }));
    console.log(JSON.stringify(tally));
    expect(tally.deviations).toBeGreaterThan(0);
  }, 1_800_000);
});
