import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { fail, messageOf, printLog, stopAsked, takenPort, UsageError } from '../command.ts';
import { writeLocalFile } from '../local-file.ts';
import { announcement } from './announcement.ts';
import type { AzureCommand } from './options.ts';
import { help, parseAzureCommand } from './options.ts';

try {
  const command = parseAzureCommand(process.argv.slice(2));
  if (command === 'help') process.stdout.write(help);
  else await run(command);
} catch (error) {
  const port = takenPort(error);
  if (error instanceof UsageError) fail(`${error.message}\nUse --help to see what there is.`, 2);
  else if (port !== undefined) fail(`Port ${port} is in use. Choose another, or 0 for any that is free.`, 1);
  else fail(messageOf(error), 1);
}

async function run({ config, output, app, identity, port }: AzureCommand): Promise<void> {
  // Everything else is behind these imports, so that a mistyped option is answered at once.
  const { DescriptionError, startAzure } = await import('./index.ts');
  const { readDescription } = await import('./config-file.ts');
  await using started = new AsyncDisposableStack();
  const asked = stopAsked();

  const starting = async () => startAzure(config === undefined ? undefined : await readDescription(config));
  const azure = await starting().catch((error: unknown) => {
    if (!(error instanceof DescriptionError)) throw error;
    throw new UsageError(`${config} describes no Azure:\n${error.message.replaceAll(/^/gm, '  ')}`);
  });
  started.defer(() => azure.stop());
  if (identity !== undefined && !(identity in azure.addresses.managedIdentities)) {
    throw new UsageError(`--identity ${identity}: there is no managed identity of this name`);
  }
  const masterKey = randomBytes(24).toString('base64url');
  const host =
    app === undefined
      ? undefined
      : await azure.startApp({
          directory: resolve(app),
          settings: environmentSettings(),
          port,
          masterKey,
          log: printLog,
          ...(identity !== undefined && { identity }),
        });
  const { addresses } = azure;
  const written = { ...addresses, ...(host && { app: { url: host.url, functions: host.functions, masterKey } }) };
  started.defer(await writeLocalFile(output, written));
  console.log(announcement(addresses, { output, app: host }));

  await asked;
  console.log('Stopping.');
}

/** What npm, which runs this, adds for itself is no setting of an app. */
function environmentSettings(): Record<string, string> {
  const settings = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  return Object.fromEntries(settings) as Record<string, string>;
}
