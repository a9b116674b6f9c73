import type { Table } from '../../../src/state/table.ts';

/** `<table>.<method>` for each call, in order. */
export interface Counted {
  calls: string[];
  wrap(table: Table, name: string): Table;
  /** @returns the calls that `act` led to */
  during(act: () => Promise<unknown>): Promise<string[]>;
}

/** Counts requests to tables. Those for the data keys are left out: they are kept in memory for minutes. */
export function createCounted(): Counted {
  const calls: string[] = [];
  return {
    calls,
    wrap: (table, name) =>
      new Proxy(table, {
        get(target, property, receiver) {
          if (name !== 'datakeys') calls.push(`${name}.${String(property)}`);
          return Reflect.get(target, property, receiver) as unknown;
        },
      }),
    async during(act) {
      const before = calls.length;
      await act();
      return calls.slice(before);
    },
  };
}
