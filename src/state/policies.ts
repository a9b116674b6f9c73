import type { Table } from './table.ts';

/** Texts of policies, by name, as they were written. */
export interface PolicyStore {
  /** @param name lower case */
  find(name: string): Promise<string | undefined>;
  /** In ordinal order. */
  list(): Promise<string[]>;
  /** Stores or replaces a policy. @param text at most {@link maximumPolicyLength} characters */
  put(name: string, text: string): Promise<void>;
  remove(name: string): Promise<void>;
}

/** What fits into one property of Table Storage, which keeps 32 Ki UTF-16 units. */
export const maximumPolicyLength = 32_000;

const partition = 'policies';

export function createPolicyStore(table: Table): PolicyStore {
  return {
    async find(name) {
      return (await table.get(partition, name))?.properties.text as string | undefined;
    },
    async list() {
      return (await table.query(partition)).map(({ row }) => row);
    },
    async put(name, text) {
      await table.transact(partition, [{ kind: 'upsert', row: name, properties: { text } }]);
    },
    async remove(name) {
      // Removing what is gone is what was asked for.
      await table.transact(partition, [{ kind: 'remove', row: name }]);
    },
  };
}
