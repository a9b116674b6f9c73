import {
  maxActions,
  type Action,
  type Entity,
  type Properties,
  type RowRange,
  type Table,
} from '../../src/state/table.ts';

/** Twin of a table in Table Storage; held equal to it by the contract suite in test/state. */
export function createMemoryTable(): Table {
  const partitions = new Map<string, Map<string, { etag: string; properties: Properties }>>();
  let writes = 0;

  const rowsOf = (partition: string) =>
    partitions.get(partition) ?? new Map<string, { etag: string; properties: Properties }>();
  // What structuredClone does, but for these kinds of values alone: it takes most of the time of a random suite.
  function copy(properties: Properties): Properties {
    const copied = { ...properties };
    for (const name in copied) {
      const value = copied[name];
      if (typeof value === 'object') copied[name] = copyValue(value);
    }
    return copied;
  }

  function isRefused(rows: ReturnType<typeof rowsOf>, action: Action): boolean {
    const existing = rows.get(action.row);
    switch (action.kind) {
      case 'insert':
        return existing !== undefined;
      case 'replace':
        return existing?.etag !== action.etag;
      case 'touch':
        return existing === undefined;
      case 'upsert':
        return false;
      case 'remove':
        return existing === undefined;
    }
  }

  function touch(rows: ReturnType<typeof rowsOf>, row: string): void {
    const existing = rows.get(row);
    if (existing !== undefined) rows.set(row, { ...existing, etag: `"${++writes}"` });
  }

  function find(partition: string, { from, before, atMost }: RowRange) {
    return [...rowsOf(partition)]
      .filter(([row]) => (from === undefined || row >= from) && (before === undefined || row < before))
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .slice(0, atMost);
  }

  return {
    async get(partition, row) {
      const found = rowsOf(partition).get(row);
      return found && { row, etag: found.etag, properties: copy(found.properties) };
    },

    async query(partition, range = {}) {
      return find(partition, range).map(([row, { etag, properties }]): Entity => ({
        row,
        etag,
        properties: copy(properties),
      }));
    },

    async queryRows(partition, range = {}) {
      return find(partition, range).map(([row]) => row);
    },

    async transact(partition, actions) {
      if (actions.length > maxActions) throw new Error(`a transaction takes at most ${maxActions} actions`);
      const rows = new Map(rowsOf(partition));
      for (const action of actions) {
        if (isRefused(rows, action)) return false;
        if (action.kind === 'remove') rows.delete(action.row);
        else if (action.kind === 'touch') touch(rows, action.row);
        else rows.set(action.row, { etag: `"${++writes}"`, properties: copy(action.properties) });
      }
      partitions.set(partition, rows);
      return true;
    },

    async remove(partition, row, etag) {
      const rows = rowsOf(partition);
      if (rows.get(row)?.etag !== etag) return false;
      rows.delete(row);
      return true;
    },
  };
}

function copyValue(value: Date | Uint8Array): Date | Uint8Array {
  return value instanceof Date ? new Date(value) : new Uint8Array(value);
}
