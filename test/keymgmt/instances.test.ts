import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { createWorld } from '../support/house.ts';
import { runsOf } from '../support/runs.ts';
import { instanceCount, instancesProperty } from './support/instance-histories.ts';

/* Pauses before another try take no time: the order of calls is what counts here. */
vi.mock('node:timers/promises', () => ({ setTimeout: () => Promise.resolve() }));

describe(`${instanceCount} instances of the service`, () => {
  it('do what one would do, however their calls interleave, however long each is held up, whichever of them die', async () => {
    const tally = { histories: 0, steps: 0, late: 0 };
    await fc.assert(instancesProperty(createWorld, tally), runsOf({ usually: 350, long: 5000 }));
    console.log(JSON.stringify(tally));
    expect(tally.late, 'some slept past their time').toBeGreaterThan(0);
  }, 1_800_000);
});
