import { resolve } from 'node:path';
import { fail, messageOf, printLog, stopAsked, takenPort, UsageError } from './command.ts';
import { announcement } from './start/announcement.ts';
import { writeLocalFile } from './local-file.ts';
import { describePlatform } from './start/local-file.ts';
import type { StartOptions } from './start/options.ts';
import { help, parseStartOptions } from './start/options.ts';

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
  const asked = stopAsked();

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

  await asked;
  console.log('Stopping.');
}

function explain(error: unknown): string {
  const port = takenPort(error);
  if (port === undefined) return messageOf(error);
  return (
    `Port ${port} is in use, perhaps by another Keyfleet. Choose others with --port N, or any with --port 0; ` +
    'the vaults in a data directory keep the port they were made with.'
  );
}
