import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWorld } from '../support/house.ts';
import { runsOf } from '../support/runs.ts';
import { previewExamples, previewProperty } from './support/preview-histories.ts';

describe('a preview of any request in any state', () => {
  it('changes nothing, is refused as the request is, and tells what the request then leads to', async () => {
    const tally = { cases: 0, refused: 0, steps: 0, conditional: 0 };
    const runs = runsOf({ usually: 500, long: 10_000 });
    await fc.assert(previewProperty(createWorld, tally), { ...runs, examples: previewExamples });
    console.log(JSON.stringify(tally));
    for (const [what, count] of Object.entries(tally)) expect(count, what).toBeGreaterThan(0);
  }, 1_800_000);
});
