import type { Command } from './commands.ts';

/** A way to the service. */
export interface Transport {
  /** The name of the program in the command lines that are shown. */
  program: string;
  /** @throws FalseCheck if the answer isn't a success */
  perform(command: Command): Promise<Answer>;
}

export interface Answer {
  /** What was answered, and by whom or to what. */
  what: string;
  seen: string;
  /** Of a reading command; undefined if nothing is there. Not yet checked. */
  data?: unknown;
  /** Of a reading command. */
  warnings: readonly string[];
}
