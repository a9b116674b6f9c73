import { createKeyValue, type KeyValue } from '../../../src/kv/index.ts';
import { createState, type State } from '../../../src/state/index.ts';
import type { Table } from '../../../src/state/table.ts';
import { createMemoryTable } from '../../support/memory-table.ts';

/** What outlives a process: tables, and the clock on the wall. */
export interface World {
  openTable(name: string): Table;
  now(): Date;
  pass(seconds: number): void;
}

export const start = new Date('2026-03-01T12:00:00.250Z');

/** @param open tables that are shared by all who open this world; in memory unless given */
export function createWorld(open: (name: string) => Table = () => createMemoryTable()): World {
  const tables = new Map<string, Table>();
  let time = start.getTime();
  return {
    openTable(name) {
      const table = tables.get(name) ?? open(name);
      tables.set(name, table);
      return table;
    },
    now: () => new Date(time),
    pass: (seconds) => void (time += seconds * 1000),
  };
}

/** One process of the service, as far as secrets are concerned. */
export interface House extends KeyValue {
  state: State;
}

/** @param wrap each table of this process */
export function openHouse(
  { openTable, now }: Pick<World, 'openTable' | 'now'>,
  wrap: (table: Table, name: string) => Table = (table) => table,
): House {
  const state = createState({
    openTable: (name) => wrap(openTable(name), name),
    rootKey: {
      wrap: async (plaintext) => ({ wrapped: Uint8Array.from(plaintext), rootKeyId: 'root' }),
      unwrap: async (wrapped) => Uint8Array.from(wrapped),
    },
    now,
  });
  return { ...createKeyValue({ state, now }), state };
}

export const mount = '3b0f4b0c-9d0e-4c53-8a53-2f6d0a4c1e77';

/** A secret of the one mount that most tests need. */
export function at(path: string): { mount: string; path: string } {
  return { mount, path };
}
