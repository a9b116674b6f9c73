import type { Table } from '../../src/state/table.ts';

/** Processes that run at once, each of whose calls to a table waits for its turn. */
export interface Turns {
  /** Of the process with this number. */
  wrap(process: number): (table: Table) => Table;
  /**
   * Starts all, and lets one call after another go on until nobody is left.
   * @param order who is next among those who wait; any number will do, and the list begins anew when it ends
   * @param cutAt the number of the call in the place of which its process dies; undefined: none does
   * @returns the process that died
   */
  run(
    processes: readonly (() => Promise<void>)[],
    order: readonly number[],
    cutAt?: number,
  ): Promise<number | undefined>;
}

export function createTurns(): Turns {
  const waiting: { process: number; proceed: () => void }[] = [];
  let wake = () => {};
  let dead: number | undefined;

  return {
    wrap: (process) => (table) =>
      new Proxy(table, {
        get(target, property: keyof Table) {
          const method = target[property] as (...given: unknown[]) => Promise<unknown>;
          return async (...given: unknown[]): Promise<unknown> => {
            await new Promise<void>((proceed) => {
              waiting.push({ process, proceed });
              wake();
            });
            return method.apply(target, given);
          };
        },
      }),

    async run(processes, order, cutAt) {
      const running = new Set<number>();
      const outcomes = processes.map(async (start, process) => {
        running.add(process);
        try {
          await start();
        } finally {
          running.delete(process);
          wake();
        }
      });
      for (let call = 0; running.size > 0; call++) {
        // Who doesn't wait is at work, or pauses before another try.
        while (waiting.length < running.size) await new Promise<void>((resolve) => (wake = resolve));
        waiting.sort((left, right) => left.process - right.process);
        const [picked] = waiting.splice((order[call % order.length] ?? 0) % waiting.length, 1);
        if (picked === undefined) break;
        if (call === cutAt) {
          dead = picked.process;
          running.delete(dead);
        } else picked.proceed();
      }
      await Promise.all(outcomes.filter((_, process) => process !== dead));
      return dead;
    },
  };
}
