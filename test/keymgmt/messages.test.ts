import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createWorld } from '../support/house.ts';
import { runsOf } from '../support/runs.ts';
import { chaosProperty, newChaosTally } from './support/message-chaos.ts';

it('whatever happens to messages, the same requests end in the same keys in the same vaults', async () => {
  const tally = newChaosTally();
  const runs = runsOf({ usually: 200, long: 10_000 });
  await fc.assert(chaosProperty(createWorld, tally), runs);
  console.log(JSON.stringify(tally));
  expect(tally.histories).toBe(runs.numRuns);
  for (const [what, count] of Object.entries(tally)) expect(count, what).toBeGreaterThan(0);
}, 1_800_000);
