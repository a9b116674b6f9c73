import type { Table } from './table.ts';

/** An instance that makes calls within a scope, and how much of what is allowed there it takes. */
export interface Presence {
  instance: string;
  /** In millionths. */
  share: number;
  /** Part that it used until lately, and that may still count against everybody until `heldUntil`. In millionths. */
  heldShare: number;
  heldUntil: Date;
  seenTime: Date;
}

/** Who is active in each scope (a vault, or all vaults with common limits), as each last said itself. */
export interface InstanceStore {
  put(scope: string, presence: Presence): Promise<void>;
  list(scope: string): Promise<Presence[]>;
  remove(scope: string, instance: string): Promise<void>;
}

/** One partition per scope; @param table its rows are worthless after some seconds */
export function createInstanceStore(table: Table): InstanceStore {
  return {
    async put(scope, { instance, ...properties }) {
      await table.transact(scope, [{ kind: 'upsert', row: instance, properties }]);
    },
    async list(scope) {
      const rows = await table.query(scope);
      return rows.map(({ row, properties }) => ({
        ...(properties as unknown as Omit<Presence, 'instance'>),
        instance: row,
      }));
    },
    async remove(scope, instance) {
      // One that is gone already was removed by somebody who took it for dead.
      await table.transact(scope, [{ kind: 'remove', row: instance }]);
    },
  };
}
