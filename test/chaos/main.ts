import { randomInt } from 'node:crypto';
import { fail, messageOf, UsageError } from '../../src/local/command.ts';
import { help, parseChaosOptions, type ChaosOptions } from './options.ts';

const seeds = 2 ** 31;

try {
  const options = parseChaosOptions(process.argv.slice(2), () => randomInt(seeds));
  if (options === 'help') process.stdout.write(help);
  else await run(options);
} catch (error) {
  if (error instanceof UsageError) fail(`${error.message}\nUse --help to see what there is.`, 2);
  else fail(messageOf(error), 1);
}

async function run(options: ChaosOptions): Promise<void> {
  // Everything else is behind these imports, so that a mistyped option is answered at once.
  const { runChaos } = await import('./run.ts');
  const { renderReport } = await import('./report.ts');
  const startTime = performance.now();
  const progress = (line: string) =>
    console.error(`  ${((performance.now() - startTime) / 1000).toFixed(0).padStart(3)} s: ${line}`);
  console.error(`  seed ${options.seed}`);
  const result = await runChaos({ ...options, putsClockForward: false, progress });
  console.log(renderReport(options, result));
  if (result.violations.length > 0) process.exitCode = 1;
}
