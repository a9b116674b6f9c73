import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWorld } from '../support/house.ts';
import { crashes, faults, type Interruption } from '../support/interruptions.ts';
import { runsOf } from '../support/runs.ts';
import { operations, runCut, waysOf } from './support/cut-run.ts';

describe('one cut, at every call, in every way', () => {
  it.each(Object.keys(operations))(
    '%s',
    async (name) => {
      const { rooms } = await runCut({ world: createWorld(), name });
      let cuts = 0;
      let looks = 0;
      for (const [cutAt, room] of rooms.entries()) {
        for (const how of waysOf[room]) {
          const interrupt = (call: number) => (call === cutAt ? how : undefined);
          const { looked } = await runCut({ world: createWorld(), name, interrupt }).catch((error: unknown) => {
            throw new Error(`${name} cut at call ${cutAt} (${room}, ${how})`, { cause: error });
          });
          cuts++;
          if (looked) looks++;
        }
      }
      console.log(`${name}: ${rooms.length} calls, ${cuts} cuts, ${looks} looks`);
      expect(cuts, 'the cuts were made').toBeGreaterThan(rooms.length);
    },
    120_000,
  );
});

const cut = fc.record({ call: fc.nat({ max: 45 }), how: fc.constantFrom<Interruption>(...crashes, ...faults) });

describe('two cuts, the second in the same run or in the recovery from the first', () => {
  it('any two, of any operation', async () => {
    let looks = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(operations)),
        cut,
        cut,
        fc.boolean(),
        async (name, first, second, inRecovery) => {
          const interrupt = (call: number) =>
            call === first.call ? first.how : !inRecovery && call === second.call ? second.how : undefined;
          const interruptRecovery = (call: number) => (inRecovery && call === second.call ? second.how : undefined);
          const { looked } = await runCut({ world: createWorld(), name, interrupt, interruptRecovery });
          if (looked) looks++;
        },
      ),
      runsOf({ usually: 500, long: 10_000 }),
    );
    console.log(`${looks} pairs were mended by a look at the vault`);
  }, 1_200_000);
});
