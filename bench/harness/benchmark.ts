/** What a figure is counted in. `times` is a ratio, which is what can be compared between machines. */
export type Unit = 'times' | 's' | 'ms' | 'calls' | 'messages' | 'KiB' | 'MiB' | 'per second';

/** What a value should be: neither more, nor less, than this. */
export type Goal = { atMost: number } | { atLeast: number };

/** One result of a benchmark. */
export interface Figure {
  name: string;
  unit: Unit;
  /** Median of the rounds, or the ratio of two medians. */
  value: number;
  /** Of all rounds. */
  lowest: number;
  highest: number;
  /** The same of each round. */
  ofRounds: readonly number[];
  goal?: Goal & { met: boolean };
  /** What the value is made of, e.g. the calls by operation. */
  parts?: Readonly<Record<string, number>>;
}

export interface BenchmarkContext {
  /** Tells whoever waits how far it is. */
  progress: (line: string) => void;
}

export interface Benchmark {
  /** As given on the command line. */
  name: string;
  /** What it measures, in one line. */
  measures: string;
  /** Takes so long that it runs only if it is named. */
  isLong?: boolean;
  /** @throws if what it was to measure didn't work */
  run: (context: BenchmarkContext) => Promise<Figure[]>;
}
