import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWorld } from '../support/house.ts';
import { crashes, faults, type Interruption } from '../support/interruptions.ts';
import { vaultOf } from '../support/invariants.ts';
import { runsOf } from '../support/runs.ts';
import { newTally, runHistory } from './support/history.ts';
import { step } from './support/requests.ts';

/** Where the run is cut, by number of call; the kind says how. */
const cuts = fc.array(
  fc.record({ call: fc.nat({ max: 200 }), how: fc.constantFrom<Interruption>(...crashes, ...faults) }),
  { maxLength: 12 },
);
const steps = fc.array(step, { minLength: 30, maxLength: 60 });

describe('histories of keys in vaults, cut anywhere', () => {
  it('agree with the model, never break what always holds, and converge', async () => {
    const tally = newTally();
    await fc.assert(
      fc.asyncProperty(steps, cuts, fc.boolean(), (taken, plan, sharedVault) =>
        runHistory({
          world: createWorld(),
          steps: taken,
          cuts: plan,
          vaultOf: sharedVault ? () => 'shared' : vaultOf,
          tally,
        }),
      ),
      runsOf({ usually: 1000, long: 10_000 }),
    );
    console.log(JSON.stringify(tally));
    expect(tally.divergences).toBe(0);
  }, 1_200_000);
});
