import { parseArgs } from 'node:util';
import { parsePort, UsageError } from '../command.ts';
import type { PlatformPorts } from '../platform/index.ts';
import type { PlatformVault } from '../platform/vaults.ts';
import { defaultVaults } from '../platform/vaults.ts';

export interface StartOptions {
  /** Of the API; 0: any that is free. */
  port: number;
  /** Of what stands for Azure: the ones after the API's, or any that are free if that is 0. */
  ports: PlatformPorts;
  dataDirectory: string | undefined;
  vaults: PlatformVault[];
}

export const help = `Runs Keyfleet, and all of Azure that it needs, on this machine.

  npm start -- [--port N] [--data DIR] [--vault NAME:SKU]...

  --port N          port of the API, 8200 unless given; the five after it are taken too; 0 picks any that are free
  --data DIR        keep keys, vaults and tables in DIR for the next start; without it nothing is kept. The vaults
                    keep their port, too, since it is part of each key's identifier
  --vault NAME:SKU  one more vault, premium or standard, beside learn-keyvault:premium and standard-keyvault:standard
  --help            show this

KEYFLEET_DEV_ROOT_TOKEN in the environment replaces the root token, which is "root" otherwise.
`;

const defaultPort = 8200;
const portsTaken = 6;

/**
 * @returns 'help' if that was asked for
 * @throws UsageError
 */
export function parseStartOptions(commandLine: readonly string[]): StartOptions | 'help' {
  const values = parse(commandLine);
  if (values.help) return 'help';
  const port = values.port === undefined ? defaultPort : parsePort(values.port, portsTaken);
  return {
    port,
    ports: port === 0 ? {} : portsAfter(port),
    dataDirectory: values.data,
    vaults: mergeVaults((values.vault ?? []).map(parseVault)),
  };
}

function parse(commandLine: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...commandLine],
      options: {
        port: { type: 'string' },
        data: { type: 'string' },
        vault: { type: 'string', multiple: true },
        help: { type: 'boolean', short: 'h' },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function portsAfter(port: number): PlatformPorts {
  return { entra: port + 1, identity: port + 2, keyVault: port + 3, serviceBus: port + 4, tables: port + 5 };
}

function parseVault(text: string): PlatformVault {
  const [name = '', sku, ...rest] = text.split(':');
  if (!/^(?!.*--)[a-z][0-9a-z-]{1,22}[0-9a-z]$/i.test(name)) {
    throw new UsageError(
      `--vault ${text}: a vault's name has 3 to 24 letters, digits and single hyphens, the first a letter`,
    );
  }
  if ((sku !== 'premium' && sku !== 'standard') || rest.length > 0) {
    throw new UsageError(`--vault ${text}: write NAME:premium or NAME:standard`);
  }
  return { name, sku };
}

/** A name that was given last wins, so that a default vault's SKU can be changed. */
function mergeVaults(given: readonly PlatformVault[]): PlatformVault[] {
  return [...new Map([...defaultVaults, ...given].map((vault) => [vault.name.toLowerCase(), vault])).values()];
}
