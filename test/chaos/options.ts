import { parseArgs } from 'node:util';
import { messageOf, UsageError } from '../../src/local/command.ts';

/** How much of everything, and for how long. */
export interface ChaosOptions {
  /** Of every choice that is left to chance. */
  seed: number;
  durationSeconds: number;
  keys: number;
  vaults: number;
  hosts: number;
  killEverySeconds: number;
}

export const help = `Rotates, distributes and removes keys through several hosts while one after the other is killed, then looks
whether anything was lost, doubled, or touched that shouldn't be.

  npm run chaos -- [--seed N] [--duration S] [--keys N] [--vaults N] [--hosts N] [--kill-every S]

  --seed N         of every choice that is left to chance; printed, a new one unless given
  --duration S     seconds of chaos, 120 unless given
  --keys N         keys, 200 unless given; each goes to every vault
  --vaults N       vaults, 5 unless given
  --hosts N        host processes, 3 unless given
  --kill-every S   seconds between two kills, 2 unless given
  --help           show this

The exit code is 0 if every invariant held, 1 if not, 2 for a command line that makes no sense.
`;

/**
 * @returns 'help' if that was asked for
 * @throws UsageError
 */
export function parseChaosOptions(commandLine: readonly string[], newSeed: () => number): ChaosOptions | 'help' {
  const values = parse(commandLine);
  if (values.help === true) return 'help';
  return {
    seed: wholeNumber('seed', values.seed, newSeed(), 0),
    durationSeconds: wholeNumber('duration', values.duration, 120, 1),
    keys: wholeNumber('keys', values.keys, 200, 1),
    vaults: wholeNumber('vaults', values.vaults, 5, 1),
    hosts: wholeNumber('hosts', values.hosts, 3, 1),
    killEverySeconds: wholeNumber('kill-every', values['kill-every'], 2, 1),
  };
}

function parse(commandLine: readonly string[]) {
  try {
    const number = { type: 'string' } as const;
    const { values } = parseArgs({
      args: [...commandLine],
      options: {
        seed: number,
        duration: number,
        keys: number,
        vaults: number,
        hosts: number,
        'kill-every': number,
        help: { type: 'boolean', short: 'h' },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

function wholeNumber(name: string, text: string | undefined, otherwise: number, least: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
    throw new UsageError(`--${name} takes a whole number from ${least} on, not '${text}'`);
  }
  return value;
}
