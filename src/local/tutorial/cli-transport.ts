import { execFile } from 'node:child_process';
import { z } from 'zod';
import { CannotStart } from './cannot-start.ts';
import type { ChangingCommand, Command } from './commands.ts';
import { engineType, toArguments } from './commands.ts';
import { FalseCheck } from './false-check.ts';
import type { Answer, Transport } from './transport.ts';

interface Finished {
  /** undefined if the program couldn't be run, or was ended because it took too long. */
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
}

const programs = ['vault', 'bao'];
const nothingThereExitCode = 2;

/** The program gives up by itself after 60 seconds. */
const patienceMilliseconds = 70_000;

const secret = z.object({ data: z.unknown(), warnings: z.array(z.string()).nullish() });

/**
 * Finds Vault's command line client on the PATH, or OpenBao's.
 * @throws CannotStart if there is neither
 */
export async function findProgram(environment: NodeJS.ProcessEnv): Promise<{ program: string; version: string }> {
  for (const program of programs) {
    const { stdout } = await run(program, ['version'], environment);
    if (/^(Vault|OpenBao) v\d/.test(stdout)) return { program, version: stdout.trim() };
  }
  throw new CannotStart(
    'Neither vault nor bao is on the PATH. Install one of them, or leave out --cli: the same requests are then sent without it.',
  );
}

/** Has the command line client run the commands, and reads what it prints. */
export function createCliTransport(options: {
  program: string;
  api: string;
  token: string;
  environment: NodeJS.ProcessEnv;
}): Transport {
  const { program } = options;
  const environment = clientEnvironment(options);
  return {
    program,
    async perform(command) {
      const finished = await run(program, toArguments(command), environment);
      if (finished.exitCode === 0) return toAnswer(program, command, finished);
      const nothingThere = /^No value found at /.test(finished.stderr) && finished.exitCode === nothingThereExitCode;
      if (nothingThere && (command.verb === 'read' || command.verb === 'list')) {
        return { what: `${program} says`, seen: finished.stderr.trim(), warnings: [] };
      }
      throw new FalseCheck({
        what: `${program} ${toArguments(command)[0]}`,
        expected: 'exit code 0',
        seen: `exit code ${finished.exitCode}\n${finished.stderr}${finished.stdout}`,
      });
    },
  };
}

/** What the user has set for other servers would change where the program goes, or how it prints. */
function clientEnvironment({
  api,
  token,
  environment,
}: {
  api: string;
  token: string;
  environment: NodeJS.ProcessEnv;
}): NodeJS.ProcessEnv {
  const others = Object.entries(environment).filter(([name]) => !/^(VAULT|BAO)_/i.test(name));
  return { ...Object.fromEntries(others), VAULT_ADDR: api, VAULT_TOKEN: token };
}

function run(program: string, args: readonly string[], environment: NodeJS.ProcessEnv): Promise<Finished> {
  return new Promise((resolve) => {
    execFile(program, args, { env: environment, timeout: patienceMilliseconds }, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : error.code;
      resolve({ exitCode: typeof exitCode === 'number' ? exitCode : undefined, stdout, stderr });
    });
  });
}

function toAnswer(program: string, command: Command, { stdout, stderr }: Finished): Answer {
  const what = `${program} says`;
  switch (command.verb) {
    case 'status':
    case 'list-mounts':
      return { what: `${program} ends with exit code`, seen: '0', data: parse(program, stdout), warnings: [] };
    case 'read': {
      const { data, warnings } = secret.parse(parse(program, stdout));
      return { what: `${program} ends with exit code`, seen: '0', data, warnings: warnings ?? [] };
    }
    case 'list':
      return { what, seen: stdout.trim().split(/\s+/).join(' '), data: listed(stdout), warnings: [] };
    case 'enable':
    case 'write':
    case 'delete': {
      const seen = stdout.trim();
      // A warning comes instead of the success: a vault needs longer than the reply waited.
      if (seen === '' && stderr.startsWith('WARNING!')) return { what, seen: stderr.trim(), warnings: [] };
      const expected = successOf(command);
      if (seen !== expected) throw new FalseCheck({ what, expected, seen: `${seen}\n${stderr}` });
      return { what, seen, warnings: [] };
    }
  }
}

function successOf(command: ChangingCommand): string {
  if (command.verb === 'enable') return `Success! Enabled the ${engineType} secrets engine at: ${command.mount}/`;
  if (command.verb === 'write') return `Success! Data written to: ${command.path}`;
  return `Success! Data deleted (if it existed) at: ${command.path}`;
}

/** @returns what follows the head of the table. */
function listed(table: string): string[] {
  const lines = table.trim().split('\n');
  const rule = lines.findIndex((line) => /^-+$/.test(line));
  return lines.slice(rule + 1).map((line) => line.trim());
}

function parse(program: string, stdout: string): unknown {
  try {
    return JSON.parse(stdout);
  } catch (error) {
    throw new FalseCheck({ what: `${program} prints`, expected: 'JSON', seen: stdout }, { cause: error });
  }
}
