import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Benchmark } from '../harness/benchmark.ts';
import { figure, ratio } from '../harness/figures.ts';
import { interleave } from '../harness/interleave.ts';
import { quantile } from '../harness/statistics.ts';
import { keyCount, type Measurement, type Mode } from './measurement.ts';

const threadPoolSize = '4';
const rounds = 5;
const goalMilliseconds = 50;

/** What making RSA-4096 keys does to name look-ups, which wait for the same threads. */
export const keyGeneration: Benchmark = {
  name: 'key-generation',
  measures: `name look-ups while ${keyCount} RSA-4096 keys are made in the same process`,
  async run({ progress }) {
    const { idle, generator, unbounded } = await interleave(
      rounds,
      { idle: () => measure('idle'), generator: () => measure('generator'), unbounded: () => measure('unbounded') },
      progress,
    );
    const at = (fraction: number, measurements: readonly Measurement[]) =>
      measurements.map(({ lookupMilliseconds }) => quantile(lookupMilliseconds, fraction));
    const generation = (measurements: readonly Measurement[]) =>
      measurements.map(({ generationMilliseconds }) => generationMilliseconds);
    return [
      figure('look-up p50, idle', 'ms', at(0.5, idle)),
      figure('look-up p50, service generates', 'ms', at(0.5, generator)),
      figure('look-up p50, unbounded generation', 'ms', at(0.5, unbounded)),
      figure('look-up p99, idle', 'ms', at(0.99, idle)),
      figure('look-up p99, service generates', 'ms', at(0.99, generator), { atMost: goalMilliseconds }),
      figure('look-up p99, unbounded generation', 'ms', at(0.99, unbounded)),
      ratio('look-up p99, unbounded / service', at(0.99, unbounded), at(0.99, generator)),
      ratio('time for all keys, service / unbounded', generation(generator), generation(unbounded)),
    ];
  },
};

/** In a process of its own: the thread pool belongs to the process. */
async function measure(mode: Mode): Promise<Measurement> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'child.ts'), mode], {
    env: { ...process.env, UV_THREADPOOL_SIZE: threadPoolSize },
    maxBuffer: 2 ** 24,
  });
  return JSON.parse(stdout) as Measurement;
}
