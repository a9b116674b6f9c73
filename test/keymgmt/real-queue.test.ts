import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { providerNames, vaultOf } from '../support/invariants.ts';
import { startRealWorlds, type RealWorlds } from '../support/real-world.ts';
import { runsOf } from '../support/runs.ts';
import { instanceCount, instancesProperty } from './support/instance-histories.ts';
import { chaosProperty, newChaosTally } from './support/message-chaos.ts';
import { previewExamples, previewProperty } from './support/preview-histories.ts';

/* Pauses before another try take no time: the order of calls is what counts here. */
vi.mock('node:timers/promises', () => ({ setTimeout: () => Promise.resolve() }));

let worlds: RealWorlds;

beforeAll(async () => {
  worlds = await startRealWorlds({ vaults: [...providerNames.map(vaultOf), 'vault-r', 'shared', 'elsewhere'] });
}, 60_000);

afterAll(() => worlds.stop());

describe('over Service Bus, Table Storage and Key Vault', () => {
  it('whatever happens to messages, the same requests end in the same keys in the same vaults', async () => {
    const tally = newChaosTally();
    const runs = runsOf({ usually: 2, long: 50 });
    await fc.assert(chaosProperty(worlds.open, tally), { ...runs, endOnFailure: true });
    console.log(JSON.stringify(tally));
    expect(tally.histories).toBe(runs.numRuns);
    for (const what of ['doubled', 'delayed', 'locksLost', 'handled'] as const) {
      expect(tally[what], what).toBeGreaterThan(0);
    }
  }, 1_800_000);

  it(`${instanceCount} instances do what one would do, however their calls interleave and whichever of them die`, async () => {
    const tally = { histories: 0, steps: 0, late: 0 };
    const runs = runsOf({ usually: 3, long: 50 });
    await fc.assert(instancesProperty(worlds.open, tally), { ...runs, endOnFailure: true });
    console.log(JSON.stringify(tally));
    expect(tally.histories).toBe(runs.numRuns);
    expect(tally.steps).toBeGreaterThan(100);
  }, 1_800_000);

  it('a preview changes nothing, is refused as the request is, and tells what the request then leads to', async () => {
    const tally = { cases: 0, refused: 0, steps: 0, conditional: 0 };
    const runs = runsOf({ usually: 3, long: 50 });
    await fc.assert(previewProperty(worlds.open, tally), { ...runs, endOnFailure: true, examples: previewExamples });
    console.log(JSON.stringify(tally));
    expect(tally.cases).toBe(runs.numRuns);
    expect(tally.steps).toBeGreaterThan(0);
  }, 1_800_000);
});
