import type { ChaosOptions } from './options.ts';
import type { ChaosResult } from './run.ts';

const mostLines = 20;

/** @returns lines for a person to read */
export function renderReport(
  { seed, durationSeconds, keys, vaults, hosts, killEverySeconds }: ChaosOptions,
  result: ChaosResult,
): string {
  const { tally, calls, violations } = result;
  return [
    `seed ${seed}: ${keys} keys x ${vaults} vaults, ${hosts} hosts, ${durationSeconds} s, a kill every ${killEverySeconds} s`,
    `kills                ${result.kills}`,
    ...Object.entries(tally).map(
      ([operation, { accepted, unknown, refused }]) =>
        `${operation.padEnd(20)} ${accepted} accepted, ${unknown} unknown, ${refused} refused`,
    ),
    `versions in vaults   ${result.versions}`,
    `calls to vaults      ${Object.entries(calls)
      .map(([operation, count]) => `${operation} ${count}`)
      .join(', ')}`,
    `converged in         ${result.convergenceSeconds.toFixed(1)} s, ${result.cycles} timer cycles`,
    ...listed('not accepted', result.reasons),
    ...listed('logged', result.log),
    `violations           ${violations.length}`,
    ...violations.slice(0, mostLines).map((violation) => `  ${violation}`),
    ...(violations.length > mostLines ? ['  ...'] : []),
  ].join('\n');
}

function listed(title: string, counts: ReadonlyMap<string, number>): string[] {
  const sorted = [...counts].sort(([, left], [, right]) => right - left);
  return sorted.length === 0
    ? []
    : [title, ...sorted.slice(0, mostLines).map(([text, count]) => `  ${count} x ${text}`)];
}
