/** Of the cases that everybody runs: what fails among them fails because of a change, and for everybody. */
const usualSeed = 20_261_122;

/**
 * How many random cases a property gets: a few in `npm test`, always the same; all in `npm run test:long`, new ones each
 * time. A failure prints its seed; put it into KEYFLEET_TEST_SEED to see the same cases again.
 */
export function runsOf({ usually, long }: { usually: number; long: number }): { numRuns: number; seed: number } {
  const { KEYFLEET_TEST_LONG, KEYFLEET_TEST_SEED } = process.env;
  const isLong = KEYFLEET_TEST_LONG !== undefined;
  const seed = Number(KEYFLEET_TEST_SEED ?? (isLong ? Date.now() % 2 ** 31 : usualSeed));
  const numRuns = isLong ? long : usually;
  console.log(`${numRuns} cases from seed ${seed}`);
  return { numRuns, seed };
}
