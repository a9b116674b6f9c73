import type { Table } from './table.ts';

export type NameKind = 'key' | 'provider';

/** The names in a mount, kept apart from what they name so that a list costs one request per thousand names. */
export interface NameIndex {
  add(mount: string, kind: NameKind, name: string): Promise<void>;
  remove(mount: string, kind: NameKind, name: string): Promise<void>;
  /** In ordinal order. */
  list(mount: string, kind: NameKind): Promise<string[]>;
}

export function createNameIndex(table: Table): NameIndex {
  const partitionOf = (mount: string, kind: NameKind) => `${mount}|${kind}`;
  return {
    async add(mount, kind, name) {
      await table.transact(partitionOf(mount, kind), [{ kind: 'upsert', row: name, properties: {} }]);
    },
    async remove(mount, kind, name) {
      // Removing what is gone is what was asked for.
      await table.transact(partitionOf(mount, kind), [{ kind: 'remove', row: name }]);
    },
    async list(mount, kind) {
      return (await table.query(partitionOf(mount, kind))).map(({ row }) => row);
    },
  };
}
