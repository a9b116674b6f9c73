import { resolve } from 'node:path';
import type { LogLine } from './functions-host/index.ts';
import { announcement } from './start/announcement.ts';
import { describePlatform, writeLocalFile } from './start/local-file.ts';
import type { StartOptions } from './start/options.ts';
import { help, parseStartOptions, UsageError } from './start/options.ts';

const localFile = '.keyfleet/local.json';

try {
  const options = parseStartOptions(process.argv.slice(2));
  if (options === 'help') process.stdout.write(help);
  else await start(options);
} catch (error) {
  if (error instanceof UsageError) fail(`${error.message}\nUse --help to see what there is.`, 2);
  else fail(explain(error), 1);
}

async function start({ port, ports, dataDirectory, vaults }: StartOptions): Promise<void> {
  // Everything else is behind this import, so that a mistyped option is answered at once.
  const { startPlatform } = await import('./platform/index.ts');
  await using started = new AsyncDisposableStack();
  const stopAsked = Promise.withResolvers<void>();
  // A terminal sends the signal to npm too, which passes it on: more than one may come.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopAsked.resolve());

  const platform = await startPlatform({
    vaults,
    ports,
    rootToken: process.env.KEYFLEET_DEV_ROOT_TOKEN || 'root',
    seed: async (seeded) => (await import('./seed.ts')).seedRootToken(seeded),
    ...(dataDirectory !== undefined && { dataDirectory: resolve(dataDirectory) }),
  });
  started.defer(() => platform.stop());
  const host = await platform.startHost({ port, log: printLog });
  const local = describePlatform(platform, host.url);
  started.defer(await writeLocalFile(localFile, local));
  console.log(announcement(local, { localFile, dataDirectory }));

  await stopAsked.promise;
  console.log('Stopping.');
}

/** Each invocation would be two lines: only what the app says itself and what went wrong is shown. */
function printLog({ category, level, message }: LogLine): void {
  if (level === 'warning' || level === 'error' || level === 'critical')
    console.error(`${level}: ${category}: ${message}`);
  else if (category.endsWith('.User') || category.endsWith('.Console')) console.log(message);
}

function explain(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const [, takenPort] = /EADDRINUSE.*:(\d+)/.exec(message) ?? [];
  if (takenPort === undefined) return message;
  return (
    `Port ${takenPort} is in use, perhaps by another Keyfleet. Choose others with --port N, or any with --port 0; ` +
    'the vaults in a data directory keep the port they were made with.'
  );
}

function fail(message: string, exitCode: number): void {
  process.stderr.write(`${message.trimEnd()}\n`);
  process.exitCode = exitCode;
}
