import { parseArgs } from 'node:util';
import { messageOf, parsePort, UsageError } from '../command.ts';

export interface AzureCommand {
  /** File of the description; absent: the default. */
  config: string | undefined;
  /** File that is written. */
  output: string;
  /** Directory of a function app to run. */
  app: string | undefined;
  /** Name of the managed identity that the app runs as. */
  identity: string | undefined;
  /** Of the app. */
  port: number;
}

export const help = `Runs stand-ins for Azure on this machine: Entra, managed identity, Key Vault, Service Bus, Table Storage.

  npm run azure -- [--config FILE] [--output FILE] [--app DIR [--identity NAME] [--port N]]

  --config FILE     JSON that describes tenants, applications, identities, vaults, queues and topics; without it there
                    is one of each. docs/local-azure.md says what it may hold
  --output FILE     where addresses, identities and the certificate authority are written, .keyfleet/azure.json
                    unless given; the file is gone once this ends
  --app DIR         also run the function app in DIR (model v4: package.json with main, and host.json). Its settings are
                    this process's environment, with what it needs to find and trust the stand-ins
  --identity NAME   the managed identity that the app runs as; the first one unless given
  --port N          port of the app, 7071 unless given; 0 picks one that is free
  --help            show this
`;

const defaultOutput = '.keyfleet/azure.json';
const defaultPort = 7071;

/**
 * @returns 'help' if that was asked for
 * @throws UsageError
 */
export function parseAzureCommand(commandLine: readonly string[]): AzureCommand | 'help' {
  const { help: isHelp, config, output = defaultOutput, app, identity, port } = parse(commandLine);
  if (isHelp) return 'help';
  if (app === undefined && (identity !== undefined || port !== undefined)) {
    throw new UsageError('--identity and --port are those of an app: give --app DIR too');
  }
  return { config, output, app, identity, port: port === undefined ? defaultPort : parsePort(port, 1) };
}

function parse(commandLine: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...commandLine],
      options: {
        config: { type: 'string' },
        output: { type: 'string' },
        app: { type: 'string' },
        identity: { type: 'string' },
        port: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}
