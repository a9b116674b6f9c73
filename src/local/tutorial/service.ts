import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { ChangingCommand, Command, ReadingCommand } from './commands.ts';
import { toCommandLine } from './commands.ts';
import { FalseCheck } from './false-check.ts';
import type { Report } from './report.ts';
import type { Answer, Transport } from './transport.ts';

/** The service's side of the tutorial: every command is told with its outcome. */
export interface Service {
  /** @throws FalseCheck if the answer isn't a success of the expected shape */
  get<T>(command: ReadingCommand, shape: z.ZodType<T>): Promise<T>;
  /** @throws FalseCheck if something is there to be read */
  absent(path: string): Promise<void>;
  /** Changes something. */
  change(command: ChangingCommand): Promise<void>;
  /** Changes something that vaults must follow, and waits for them. `distribution` is the path of one that must. */
  changeVaults(command: ChangingCommand, distribution: string): Promise<void>;
}

export interface ServiceOptions {
  transport: Transport;
  report: Report;
}

const pauseMilliseconds = 250;
const patienceMilliseconds = 60_000;

export function createService({ transport, report }: ServiceOptions): Service {
  async function perform(command: Command): Promise<Answer> {
    report.action(`$ ${toCommandLine(transport.program, command)}`);
    const answer = await transport.perform(command);
    report.passed(answer.what, answer.seen);
    return answer;
  }

  /** Reading a distribution warns of what is pending as long as something is. */
  async function awaitVaults(path: string): Promise<void> {
    const deadline = performance.now() + patienceMilliseconds;
    for (let reads = 1; ; reads += 1) {
      const { warnings } = await transport.perform({ verb: 'read', path });
      if (warnings.length === 0) return;
      if (reads === 1) report.note(`The vault needs longer than the reply waited. ${warnings.join(' ')}`);
      if (performance.now() > deadline) {
        throw new FalseCheck({ what: path, expected: 'nothing pending any more', seen: warnings.join('\n') });
      }
      await sleep(pauseMilliseconds);
    }
  }

  return {
    async get(command, shape) {
      const { data } = await perform(command);
      const parsed = shape.safeParse(data);
      if (parsed.success) return parsed.data;
      throw new FalseCheck({
        what: `answer to ${toCommandLine(transport.program, command)}`,
        expected: "an answer of Vault's shape",
        seen: data === undefined ? 'nothing there' : `${JSON.stringify(data)}\n${z.prettifyError(parsed.error)}`,
      });
    },
    async absent(path) {
      const { data } = await perform({ verb: 'read', path });
      if (data === undefined) return;
      throw new FalseCheck({ what: path, expected: 'nothing there', seen: JSON.stringify(data) });
    },
    async change(command) {
      await perform(command);
    },
    async changeVaults(command, distribution) {
      await perform(command);
      await awaitVaults(distribution);
    },
  };
}
