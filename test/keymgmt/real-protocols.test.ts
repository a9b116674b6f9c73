import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { crashes, faults, type Interruption } from '../support/interruptions.ts';
import { providerNames, vaultOf } from '../support/invariants.ts';
import { startRealWorlds, type RealWorlds } from '../support/real-world.ts';
import { runsOf } from '../support/runs.ts';
import { operations, runCut } from './support/cut-run.ts';
import { newTally, runHistory } from './support/history.ts';
import { step, type Step } from './support/requests.ts';

/** Short histories would rarely come as far as a vault. */
const beginning: readonly Step[] = [
  { kind: 'write-key', key: 'a', deletionAllowed: true },
  { kind: 'distribute', key: 'a', provider: 'p', purpose: ['sign'], protection: 'hsm' },
  { kind: 'message', index: 0, twice: false },
];
const how = fc.constantFrom<Interruption>(...crashes, ...faults);
let worlds: RealWorlds;

beforeAll(async () => {
  worlds = await startRealWorlds({ vaults: [...providerNames.map(vaultOf), 'shared', 'other-vault'] });
}, 60_000);

afterAll(() => worlds.stop());

describe('over Table Storage, Key Vault and Service Bus', () => {
  it('histories agree with the model, never break what always holds, and converge', async () => {
    const tally = newTally();
    const cuts = fc.array(fc.record({ call: fc.nat({ max: 60 }), how }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 12, maxLength: 24 }),
        cuts,
        fc.boolean(),
        async (steps, plan, shared) =>
          runHistory({
            world: await worlds.open(),
            steps: [...beginning, ...steps],
            cuts: plan,
            vaultOf: shared ? () => 'shared' : vaultOf,
            tally,
          }),
      ),
      { ...runsOf({ usually: 12, long: 100 }), endOnFailure: true },
    );
    console.log(JSON.stringify(tally));
    expect(tally.divergences).toBe(0);
  }, 600_000);

  it('any two cuts of any operation are recovered from', async () => {
    const cut = fc.record({ call: fc.nat({ max: 45 }), how });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...Object.keys(operations)), cut, cut, async (name, first, second) => {
        const interrupt = (call: number) => (call === first.call ? first.how : undefined);
        const interruptRecovery = (call: number) => (call === second.call ? second.how : undefined);
        await runCut({ world: await worlds.open(), name, interrupt, interruptRecovery });
      }),
      { ...runsOf({ usually: 10, long: 100 }), endOnFailure: true },
    );
  }, 600_000);
});
