/**
 * How many random cases a property gets: few in `npm test`, all in `npm run test:long`. A failure prints its seed; put it
 * into KEYFLEET_TEST_SEED to see the same cases again.
 */
export function runsOf({ usually, long }: { usually: number; long: number }): { numRuns: number; seed: number } {
  const { KEYFLEET_TEST_LONG, KEYFLEET_TEST_SEED } = process.env;
  const seed = KEYFLEET_TEST_SEED === undefined ? Date.now() % 2 ** 31 : Number(KEYFLEET_TEST_SEED);
  const numRuns = KEYFLEET_TEST_LONG === undefined ? usually : long;
  console.log(`${numRuns} cases from seed ${seed}`);
  return { numRuns, seed };
}
