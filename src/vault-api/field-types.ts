/** What each field type holds once converted. */
export interface FieldTypes {
  string: string;
  integer: number;
  boolean: boolean;
  /** Whole seconds, never negative. Sent as seconds or as a Go duration with an additional `d` for days. */
  duration: number;
  /** Sent as an array or as one comma-separated string; items are trimmed. */
  list: string[];
  /** Sent as an object, as an array of `name=value`, or as one `name=value`. */
  pairs: Record<string, string>;
  /** Any JSON object, values as they were sent. */
  map: Record<string, unknown>;
}

export type FieldType = keyof FieldTypes;

export interface Field {
  type: FieldType;
  /** One sentence for `?help=1`. */
  description: string;
}

/** The fields that an endpoint knows, by their name on the wire. */
export type FieldSchema = Readonly<Record<string, Field>>;

/** Converted fields. A field that was not sent, or was sent as `null`, is undefined. */
export type FieldValues<Schema extends FieldSchema> = {
  readonly [Name in keyof Schema]: FieldTypes[Schema[Name]['type']] | undefined;
};

/** Fields as sent, before their types are known. Never an object: a caller chooses the names. */
export type RawFields = ReadonlyMap<string, unknown>;
