/** What is used of Azurite's store of tables. These are its insides, not an interface: its version is pinned exactly. */
export interface TableStore {
  queryTableEntities: (this: TableStore, ...query: Query) => Promise<unknown>;
  getEntityCollection(...where: unknown[]): { chain(): Rows };
}

type Query = [
  context: unknown,
  account: string,
  table: string,
  options: { filter?: string | undefined },
  ...from: (string | undefined)[],
];

interface Row {
  RowKey: string;
}

interface Rows {
  find(equal: { PartitionKey: string }): Rows;
  where(matches: (row: Row) => boolean): Rows;
}

/** Rows of one partition, all or those from one to before another. */
interface RowRange {
  partition: string;
  from: string | undefined;
  before: string | undefined;
}

const literal = "'((?:[^']|'')*)'";
const rangeFilter = new RegExp(
  `^PartitionKey eq ${literal}(?: and RowKey ge ${literal})?(?: and RowKey lt ${literal})?$`,
);

/**
 * Has queries for rows of one partition use the store's index of partitions: by itself it interprets the filter for each
 * row of the whole table. Any other query is answered as before.
 */
export function indexRanges(store: TableStore): void {
  const query = store.queryTableEntities;
  store.queryTableEntities = (context, account, table, options, ...from) => {
    const range = readRange(options.filter ?? '');
    if (range === undefined) return query.call(store, context, account, table, options, ...from);
    const narrowed = Object.create(store, {
      getEntityCollection: {
        value: (...where: unknown[]) => ({ chain: () => within(store.getEntityCollection(...where).chain(), range) }),
      },
    }) as TableStore;
    return query.call(narrowed, context, account, table, { ...options, filter: undefined }, ...from);
  };
}

function within(rows: Rows, { partition, from, before }: RowRange): Rows {
  return rows
    .find({ PartitionKey: partition })
    .where(({ RowKey: row }) => (from === undefined || row >= from) && (before === undefined || row < before));
}

function readRange(filter: string): RowRange | undefined {
  const [, partition, from, before] = rangeFilter.exec(filter) ?? [];
  if (partition === undefined) return undefined;
  return { partition: unquote(partition), from: from && unquote(from), before: before && unquote(before) };
}

const unquote = (text: string) => text.replaceAll("''", "'");
