import { parseArgs } from 'node:util';
import { CannotStart } from './cannot-start.ts';

export interface TutorialOptions {
  /** The file in which `npm start` says where everything is. */
  localFile: string;
  /** Whether the steps go through Vault's own command line client instead of HTTP. */
  cli: boolean;
}

export const help = `Goes through Keyfleet's Key Vault scenario step by step and checks what each step leads to.
It needs \`npm start\` in another terminal.

  npm run tutorial -- [--cli] [--config FILE]

  --cli           run the command lines with vault, or bao, from the PATH; without it they are shown, and sent as HTTP
  --config FILE   what npm start wrote about itself, .keyfleet/local.json unless given
  --help          show this

Exit code: 0 if every check was true, 1 at the first that wasn't, 2 if the tutorial couldn't begin.
`;

/**
 * @returns 'help' if that was asked for
 * @throws CannotStart
 */
export function parseTutorialOptions(commandLine: readonly string[]): TutorialOptions | 'help' {
  const values = parse(commandLine);
  if (values.help) return 'help';
  return { localFile: values.config, cli: values.cli };
}

function parse(commandLine: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...commandLine],
      options: {
        cli: { type: 'boolean', default: false },
        config: { type: 'string', default: '.keyfleet/local.json' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return values;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CannotStart(`${reason}\nUse --help to see what there is.`);
  }
}
