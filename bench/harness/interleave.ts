/**
 * Runs every variant once a round, each round beginning with another one: what else the machine does meanwhile, and what
 * one run leaves behind for the next, then falls on all of them alike.
 * @param progress is told each finished round
 * @returns each variant's results, one a round
 */
export async function interleave<Name extends string, Result>(
  rounds: number,
  variants: Readonly<Record<Name, (round: number) => Promise<Result>>>,
  progress: (line: string) => void = () => undefined,
): Promise<Record<Name, Result[]>> {
  const names = Object.keys(variants) as Name[];
  const results = Object.fromEntries(names.map((name) => [name, [] as Result[]])) as Record<Name, Result[]>;
  for (let round = 0; round < rounds; round++) {
    const first = round % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      results[name].push(await variants[name](round));
    }
    progress(`round ${round + 1} of ${rounds}`);
  }
  return results;
}
