import type { Figure, Unit } from './benchmark.ts';
import { median } from './statistics.ts';

interface FigureOptions {
  /** Give one of the two, if any. */
  atMost?: number;
  atLeast?: number;
  parts?: Readonly<Record<string, number>>;
}

/** @param values one a round */
export function figure(name: string, unit: Unit, values: readonly number[], options: FigureOptions = {}): Figure {
  return describe(name, unit, median(values), values, options);
}

/**
 * The ratio of the two medians; its spread is that of the ratios within each round.
 * @param values one a round
 * @param baseline of the same rounds
 */
export function ratio(
  name: string,
  values: readonly number[],
  baseline: readonly number[],
  options: FigureOptions = {},
): Figure {
  const ofRounds = values.map((value, round) => value / (baseline[round] ?? NaN));
  return describe(name, 'times', median(values) / median(baseline), ofRounds, options);
}

function describe(
  name: string,
  unit: Unit,
  value: number,
  ofRounds: readonly number[],
  { atMost, atLeast, parts }: FigureOptions,
): Figure {
  return {
    name,
    unit,
    value,
    lowest: Math.min(...ofRounds),
    highest: Math.max(...ofRounds),
    ofRounds,
    ...(atMost !== undefined && { goal: { atMost, met: value <= atMost } }),
    ...(atLeast !== undefined && { goal: { atLeast, met: value >= atLeast } }),
    ...(parts && { parts }),
  };
}
