import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Figure, Goal } from './benchmark.ts';
import type { Machine } from './machine.ts';

/** What one benchmark came to. */
export interface Result {
  benchmark: string;
  measures: string;
  seconds: number;
  figures: readonly Figure[];
  /** Why there are no figures. */
  failure?: string;
}

/** @returns lines for a person to read */
export function renderResult({ benchmark, measures, seconds, figures, failure }: Result): string {
  const head = `${benchmark}: ${measures} (${Math.round(seconds)} s)`;
  if (failure !== undefined) return `${head}\n  FAILED: ${failure}`;
  const rows = figures.map((figure) => [
    figure.name,
    `${round(figure.value)} ${figure.unit}`,
    `${round(figure.lowest)} to ${round(figure.highest)}`,
    `${figure.ofRounds.length}`,
    figure.goal === undefined ? '' : `${figure.goal.met ? 'met' : 'MISSED'} (${renderGoal(figure.goal)})`,
  ]);
  const table = [['figure', 'median', 'lowest to highest', 'rounds', 'goal'], ...rows];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = table.flatMap((row, index) => [
    `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd(),
    ...partsOf(figures[index - 1]),
  ]);
  return [head, ...lines].join('\n');
}

/** @returns the path of the file */
export async function writeResults(
  directory: string,
  contents: { date: string; machine: Machine; results: readonly Result[] },
): Promise<string> {
  await mkdir(directory, { recursive: true });
  const file = join(directory, `${contents.date.replaceAll(':', '-')}.json`);
  await writeFile(file, `${JSON.stringify(contents, undefined, 2)}\n`);
  return file;
}

function renderGoal(goal: Goal): string {
  return 'atMost' in goal ? `at most ${goal.atMost}` : `at least ${goal.atLeast}`;
}

function partsOf(figure: Figure | undefined): string[] {
  if (figure?.parts === undefined) return [];
  const parts = Object.entries(figure.parts).map(([name, value]) => `${name} ${round(value)}`);
  return [`      ${parts.join(', ')}`];
}

/** Three significant digits, whole numbers whole. */
function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
