/** A property as Table Storage keeps it: Edm.String, Edm.Int32, Edm.Boolean, Edm.DateTime, Edm.Binary. */
export type PropertyValue = string | number | boolean | Date | Uint8Array;
export type Properties = Record<string, PropertyValue>;

export interface Entity {
  row: string;
  /** Changes with every write of the entity. */
  etag: string;
  properties: Properties;
}

/** One step of a transaction. */
export type Action =
  /** Refused if the row exists. */
  | { kind: 'insert'; row: string; properties: Properties }
  /** Writes the whole entity; refused unless the row still has this ETag. */
  | { kind: 'replace'; row: string; properties: Properties; etag: string }
  /** Changes the row's ETag and nothing else; refused if the row doesn't exist. */
  | { kind: 'touch'; row: string }
  /** Writes the whole entity, whether it exists or not. */
  | { kind: 'upsert'; row: string; properties: Properties }
  /** Refused if the row doesn't exist. */
  | { kind: 'remove'; row: string };

export interface RowRange {
  /** Inclusive. */
  from?: string;
  /** Exclusive. */
  before?: string;
  /** No more than this many, the first ones. */
  atMost?: number;
}

/** Most actions that one transaction takes (Table Storage's limit). */
export const maxActions = 100;

/**
 * What Keyfleet uses of one table. The real one is Table Storage; a twin in memory is held equal to it by a contract
 * suite. Keys are at most 1 KiB and hold none of `/ \ # ?` nor control characters.
 *
 * Every method throws {@link import('../errors.ts').KeyfleetError} `unavailable` when storage can't answer.
 */
export interface Table {
  get(partition: string, row: string): Promise<Entity | undefined>;
  /** Rows in ordinal order of their keys; all of them if no range is given. */
  query(partition: string, range?: RowRange): Promise<Entity[]>;
  /** The keys alone of the rows that {@link query} finds. */
  queryRows(partition: string, range?: RowRange): Promise<string[]>;
  /** All actions or none, each row at most once. @returns false if one was refused, and nothing changed. */
  transact(partition: string, actions: readonly Action[]): Promise<boolean>;
  /** @returns false if the row is gone or no longer has this ETag. */
  remove(partition: string, row: string, etag: string): Promise<boolean>;
}

export interface TableOptions {
  /**
   * Whether requests are sent once at most, instead of again when there was no answer: an insertion that is repeated
   * after somebody removed the row brings the row back. Absent: they may be repeated.
   */
  onlyOnce?: boolean;
}

/** The range of all rows that start with `prefix`, which is not empty. */
export function startingWith(prefix: string): { from: string; before: string } {
  const last = prefix.length - 1;
  return { from: prefix, before: prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1) };
}
