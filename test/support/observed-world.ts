import { createHash } from 'node:crypto';
import { AzureFailure, type AzureFailureKind } from '../../src/azure-failure.ts';
import type { Table } from '../../src/state/table.ts';
import type { VaultChange, World } from './world.ts';

/** How a vault takes changes: not at all, or without its replies (`lost`) or the requests (`dropped`) getting through. */
export type Mood = Extract<AzureFailureKind, 'refused' | 'forbidden' | 'unavailable'> | 'lost' | 'dropped';

export interface ObservedWorld extends World {
  /** Changes that vaults were asked for, in order. */
  changes: VaultChange[];
  /** By name of the vault; without one it does as it is told. */
  moods: Map<string, Mood>;
  /** All that outlives a process, a line each: two are equal only if nothing at all was written between them. */
  dump(): Promise<string[]>;
}

export function observed(world: World): ObservedWorld {
  const tables = new Map<string, { table: Table; partitions: Set<string> }>();
  const changes: VaultChange[] = [];
  const moods: ObservedWorld['moods'] = new Map();

  world.watch({
    async before(change) {
      const mood = moods.get(change.vault);
      if (mood === 'dropped') throw new AzureFailure('unknown-outcome', 'nobody knows what became of it');
      if (mood !== undefined && mood !== 'lost') throw new AzureFailure(mood, `the vault is ${mood}`);
      changes.push(change);
    },
    async after({ vault }) {
      if (moods.get(vault) === 'lost') throw new AzureFailure('unknown-outcome', 'the reply was lost');
    },
  });

  return {
    ...world,
    changes,
    moods,
    openTable(name) {
      const table = world.openTable(name);
      const partitions = tables.get(name)?.partitions ?? new Set<string>();
      tables.set(name, { table, partitions });
      return {
        ...table,
        transact(partition, actions) {
          partitions.add(partition);
          return table.transact(partition, actions);
        },
      };
    },
    async dump() {
      const lines = world.messages().map((message) => `queue ${message}`);
      for (const [name, { table, partitions }] of tables) {
        for (const partition of partitions) {
          for (const { row, etag, properties } of await table.query(partition)) {
            lines.push(`${name} ${partition} ${row} ${etag} ${digest(properties)}`);
          }
        }
      }
      for (const vault of world.vaultNames()) {
        for (const [keyName, versions] of world.contents(vault)) lines.push(`${vault} ${keyName} ${digest(versions)}`);
      }
      return lines;
    },
  };
}

/** Long rows would drown what differs. */
function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url');
}
