import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/local/faults.ts';
import { importInTheEnd, openGovernor } from '../../support/governed-fleet.ts';
import { createMemoryTable } from '../../support/memory-table.ts';
import { runsOf } from '../../support/runs.ts';
import { createSimulatedFleet } from '../../support/simulated-vaults.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

/** Instances come and go, each with as much work as it can do, while they are there. */
const instances = fc.array(
  fc.record({ joinsAt: fc.integer({ min: 0, max: 60_000 }), staysFor: fc.integer({ min: 1_000, max: 60_000 }) }),
  { minLength: 1, maxLength: 4 },
);

describe('the limits', () => {
  it('are never exceeded in any window, whoever joins and leaves', { timeout: 600_000 }, async () => {
    let calls = 0;
    const { numRuns, seed } = runsOf({ usually: 60, long: 2_000 });
    await fc.assert(
      fc.asyncProperty(instances, fc.integer({ min: 1, max: 7 }), fc.nat(), async (comings, vaultCount, drawn) => {
        const clock = createVirtualClock();
        const random = seededRandom(drawn);
        const limits = { import: 60 };
        const fleet = createSimulatedFleet({ clock, random, limits });
        const vaults = Array.from({ length: vaultCount }, (_, index) => fleet.vault(`vault-${index}`));
        const table = createMemoryTable();

        async function work({ joinsAt, staysFor }: { joinsAt: number; staysFor: number }, index: number) {
          await clock.sleep(joinsAt);
          const governor = openGovernor(clock, { table, instanceId: `instance-${index}`, limits });
          const handles = vaults.map((vault) => governor.open(vault).background);
          const worker = async (start: number) => {
            for (let turn = start; clock.now() < joinsAt + staysFor; turn++) {
              const vault = handles[turn % handles.length];
              if (vault !== undefined) await importInTheEnd(clock, vault);
            }
          };
          await Promise.all(Array.from({ length: 16 }, (_, start) => worker(start)));
        }

        await clock.until(Promise.all(comings.map(work)));
        calls += fleet.calls.length;
        expect(fleet.calls.filter(({ answer }) => answer !== 'taken')).toEqual([]);
        expect(fleet.calls.length).toBeGreaterThan(0);
      }),
      { numRuns, seed },
    );
    console.log(`${calls} calls, none over a limit`);
  });

  it.each([1, 5, 10])('are used to nine tenths at least, with %i vaults', async (count) => {
    const clock = createVirtualClock();
    const fleet = createSimulatedFleet({ clock, random: seededRandom(count) });
    const governor = openGovernor(clock, { table: createMemoryTable(), instanceId: 'one' });
    const seconds = 120;
    const worker = async (vault: ReturnType<typeof fleet.vault>) => {
      while (clock.now() < seconds * 1000) await importInTheEnd(clock, vault);
    };
    const work = Array.from({ length: count }, (_, index) => governor.open(fleet.vault(`vault-${index}`)).background);
    await clock.until(
      Promise.all(work.flatMap((vault) => [worker(vault), worker(vault), worker(vault), worker(vault)])),
    );
    const allowed = Math.min(count, 5) * 30 * seconds;
    const share = fleet.calls.length / allowed;
    console.log(`${count} vaults: ${share.toFixed(3)} of the limit`);
    expect(share).toBeGreaterThan(0.9);
    expect(fleet.calls.filter(({ answer }) => answer !== 'taken')).toEqual([]);
  });
});
