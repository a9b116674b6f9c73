import { parseArgs } from 'node:util';
import type { Benchmark } from './benchmark.ts';

export type Command =
  | { kind: 'run'; benchmarks: readonly Benchmark[] }
  | { kind: 'help' }
  /** The command line made no sense. */
  | { kind: 'refuse'; reason: string };

/** @param parameters what follows the script's name */
export function readCommand(parameters: readonly string[], benchmarks: readonly Benchmark[]): Command {
  try {
    const { values, positionals } = parseArgs({
      args: [...parameters],
      options: { help: { type: 'boolean', short: 'h', default: false } },
      allowPositionals: true,
    });
    if (values.help) return { kind: 'help' };
    const unknown = positionals.find((name) => !benchmarks.some((benchmark) => benchmark.name === name));
    if (unknown !== undefined) return { kind: 'refuse', reason: `there is no benchmark "${unknown}"` };
    const isNamed = ({ name }: Benchmark) => positionals.includes(name);
    const chosen = benchmarks.filter(positionals.length === 0 ? ({ isLong = false }) => !isLong : isNamed);
    return { kind: 'run', benchmarks: chosen };
  } catch (error) {
    return { kind: 'refuse', reason: error instanceof Error ? error.message : String(error) };
  }
}

export function renderHelp(benchmarks: readonly Benchmark[]): string {
  const width = Math.max(...benchmarks.map(({ name }) => name.length));
  return [
    'Usage: npm run bench -- [NAME...]',
    '',
    'Measures Keyfleet on the local platform: what is named, or all but what is marked as long.',
    '',
    ...benchmarks.map(
      ({ name, measures, isLong = false }) => `  ${name.padEnd(width)}  ${measures}${isLong ? ' (long)' : ''}`,
    ),
    '',
    'Results are printed, and written to bench/results/ as JSON. docs/benchmarks.md explains them.',
  ].join('\n');
}
