import { join } from 'node:path';
import type { Benchmark } from './harness/benchmark.ts';
import { readCommand, renderHelp } from './harness/command-line.ts';
import { describeMachine } from './harness/machine.ts';
import { renderResult, writeResults, type Result } from './harness/results.ts';
import { benchmarks } from './registry.ts';

const command = readCommand(process.argv.slice(2), benchmarks);
switch (command.kind) {
  case 'help':
    console.log(renderHelp(benchmarks));
    break;
  case 'refuse':
    console.error(`${command.reason}\n\n${renderHelp(benchmarks)}`);
    process.exitCode = 2;
    break;
  case 'run':
    await runAll(command.benchmarks);
}

async function runAll(chosen: readonly Benchmark[]): Promise<void> {
  const date = new Date().toISOString();
  const machine = await describeMachine();
  console.log(
    `Node ${machine.node}, OpenSSL ${machine.openssl}, ${machine.system}, ${machine.cores} cores (${machine.processor}), ` +
      `${machine.memoryGiB} GiB, load before ${machine.loadBefore}\n`,
  );
  const results: Result[] = [];
  for (const benchmark of chosen) {
    const result = await runOne(benchmark);
    results.push(result);
    console.log(`${renderResult(result)}\n`);
  }
  console.log(await writeResults(join(import.meta.dirname, 'results'), { date, machine, results }));
  if (results.some(({ failure }) => failure !== undefined)) process.exitCode = 1;
}

async function runOne({ name, measures, run }: Benchmark): Promise<Result> {
  const startTime = performance.now();
  const seconds = () => (performance.now() - startTime) / 1000;
  const progress = (line: string) => console.error(`  ${name} ${seconds().toFixed(0).padStart(3)} s: ${line}`);
  const result = { benchmark: name, measures };
  try {
    const figures = await run({ progress });
    return { ...result, seconds: seconds(), figures };
  } catch (error) {
    const failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { ...result, seconds: seconds(), figures: [], failure };
  }
}
