import { expect, test } from 'vitest';
import { renderReport } from './report.ts';
import { runChaos } from './run.ts';

/** A small share of `npm run chaos`, with clocks put forward in the place of waiting for timers. */
test('hosts that die at any moment lose nothing, double nothing, and touch nothing that is not theirs', async () => {
  const { KEYFLEET_TEST_SEED } = process.env;
  const seed = KEYFLEET_TEST_SEED === undefined ? Date.now() % 2 ** 31 : Number(KEYFLEET_TEST_SEED);
  const options = { seed, durationSeconds: 9, keys: 6, vaults: 2, hosts: 2, killEverySeconds: 3 };
  const result = await runChaos({ ...options, putsClockForward: true, progress: () => undefined });
  console.log(renderReport(options, result));

  expect(result.violations).toEqual([]);
  expect(result.kills).toBeGreaterThanOrEqual(3);
  expect(result.tally.rotate.accepted + result.tally.rotate.unknown).toBeGreaterThan(0);
  expect(result.versions).toBeGreaterThan(options.keys * options.vaults);
}, 90_000);
