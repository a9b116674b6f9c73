import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWorld } from '../support/house.ts';
import { crashes, faults, type Interruption } from '../support/interruptions.ts';
import { vaultOf } from '../support/invariants.ts';
import { runsOf } from '../support/runs.ts';
import { newTally, runHistory } from './support/history.ts';
import { createPeople } from './support/people.ts';
import { step, stepAmongPeople, type Step } from './support/requests.ts';

const how = fc.constantFrom<Interruption>(...crashes, ...faults);
/** Where the run is cut, by number of call; most calls are to tables, and a vault is where the harm is done. */
const cuts = fc.array(
  fc.oneof(
    fc.record({ call: fc.nat({ max: 200 }), how }),
    fc.record({ call: fc.nat({ max: 30 }), room: fc.constant('vault' as const), how }),
  ),
  { maxLength: 12 },
);
const steps = fc.array(step, { minLength: 30, maxLength: 60 });

/** Where nothing is distributed, there is nothing for people to do anything to. */
const beginning: readonly Step[] = ['p', 'q'].flatMap((provider): Step[] => [
  { kind: 'write-key', key: 'a' },
  { kind: 'distribute', key: 'a', provider, purpose: ['sign'], protection: 'hsm' },
  { kind: 'message', index: 0, twice: false },
  { kind: 'rotate', key: 'a' },
]);

/* The model can't foretell what people do; what always holds, and that everything is undone in the end, doesn't depend on it. */
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
      runsOf({ usually: 1_000, long: 10_000 }),
    );
    console.log(JSON.stringify(tally));
    expect(tally.divergences).toBe(0);
  }, 1_200_000);

  it('do so with people at work in the vaults; what they did is undone in the end, except what is somebody’s to see to', async () => {
    const tally = newTally();
    await fc.assert(
      fc.asyncProperty(
        fc.array(stepAmongPeople, { minLength: 30, maxLength: 60 }),
        cuts,
        fc.boolean(),
        (taken, plan, sharedVault) => {
          const world = createWorld();
          return runHistory({
            ...{ world, steps: [...beginning, ...taken], cuts: plan, tally },
            vaultOf: sharedVault ? () => 'shared' : vaultOf,
            people: (house, vaults) => createPeople(world, house, vaults),
          });
        },
      ),
      { ...runsOf({ usually: 200, long: 10_000 }), endOnFailure: true },
    );
    console.log(JSON.stringify(tally));
    expect(tally.divergences).toBe(0);
  }, 1_200_000);
});
