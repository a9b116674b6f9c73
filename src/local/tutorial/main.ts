import type { LocalFile } from '../start/local-file.ts';
import { CannotStart } from './cannot-start.ts';
import { FalseCheck } from './false-check.ts';
import { findLocalService } from './local-service.ts';
import type { TutorialOptions } from './options.ts';
import { help, parseTutorialOptions } from './options.ts';
import type { Transport } from './transport.ts';

try {
  const options = parseTutorialOptions(process.argv.slice(2));
  if (options === 'help') process.stdout.write(help);
  else await runTutorial(options);
} catch (error) {
  if (error instanceof CannotStart) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  } else if (error instanceof FalseCheck) process.exitCode = 1;
  else throw error;
}

async function runTutorial(options: TutorialOptions): Promise<void> {
  const local = await findLocalService(options.localFile);
  // Azure's client takes a while to load, which a message that nothing can be done shouldn't.
  const [{ createReport }, { createService }, { openKeyVault }, { goThrough }, { vaultName }] = await Promise.all([
    import('./report.ts'),
    import('./service.ts'),
    import('./key-vault.ts'),
    import('./scenario.ts'),
    import('./steps/distribution.ts'),
  ]);
  const url = local.vaults[vaultName];
  if (url === undefined) {
    throw new CannotStart(`${options.localFile} has no vault ${vaultName}, which the scenario is about.`);
  }
  const print = (line: string) => process.stdout.write(`${line}\n`);
  const transport = await openTransport(options, local, print);
  print(`The service is at ${local.api}, the vault ${vaultName} at ${url}.`);
  print(`Lines with $ are Vault's command line${options.cli ? '' : ' (sent as HTTP)'}, lines with > Azure's client.\n`);

  const report = createReport({ print });
  const service = createService({ transport, report });
  const mount = await goThrough({ report, service, keyVault: await openKeyVault({ ...local, url }) });
  print(`\nAll ${report.checks} checks are true.`);
  print(
    `${mount}/ stays as it is, with rsa-1 in ${vaultName}, for you to go on with. The next run gets a mount of its own.`,
  );
}

async function openTransport(
  { cli }: TutorialOptions,
  { api, token }: LocalFile,
  print: (line: string) => void,
): Promise<Transport> {
  if (!cli) return (await import('./http-transport.ts')).createHttpTransport({ api, token });
  const { createCliTransport, findProgram } = await import('./cli-transport.ts');
  const { program, version } = await findProgram(process.env);
  print(version);
  return createCliTransport({ program, api, token, environment: process.env });
}
