import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runsOf } from '../support/runs.ts';
import { faultCases, runFaultCase } from '../support/wire/cases.ts';
import { startFleet, type Fleet } from '../support/wire/fleet.ts';

const runs = runsOf({ usually: 120, long: 5000 });
let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet();
});

afterAll(() => fleet.stop());

it('faults on the way to a vault cost time and nothing else', { timeout: 7_200_000 }, async () => {
  const totals = { cases: 0, changes: 0, unknown: 0, divergences: 0 };
  const cycles = new Map<number, number>();
  const began = performance.now();
  try {
    await fc.assert(
      fc.asyncProperty(faultCases, async (given) => {
        totals.cases++;
        try {
          const result = await runFaultCase(fleet, given);
          totals.changes += result.changes;
          totals.unknown += result.unknown;
          cycles.set(result.cycles, (cycles.get(result.cycles) ?? 0) + 1);
        } catch (error) {
          totals.divergences++;
          throw error;
        }
      }),
      runs,
    );
  } finally {
    const suffered = [...fleet.proxy.suffered].sort(([, left], [, right]) => right - left);
    const sum = suffered.reduce((count, [, times]) => count + times, 0);
    const seconds = Math.round((performance.now() - began) / 1000);
    console.log(
      `${totals.cases} cases, ${fleet.proxy.requests} requests, ${totals.changes} changes that reached a vault, ` +
        `${totals.unknown} times told as unknown, ${totals.divergences} divergences, ${seconds} s\n` +
        `${sum} faults: ${suffered.map(([kind, times]) => `${times} ${kind}`).join(', ')}\n` +
        `agreed again after ${[...cycles]
          .sort()
          .map(([count, times]) => `${count} cycles: ${times}`)
          .join(', ')}`,
    );
  }
  expect(totals.divergences).toBe(0);
});
