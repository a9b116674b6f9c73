import { KeyfleetError } from '../errors.ts';
import { isExactNumber } from '../exact-json.ts';
import { convert } from './field-conversion.ts';
import type { FieldSchema, FieldType, FieldValues, RawFields } from './field-types.ts';

/**
 * Converts what was sent to the types that the schema names, as weakly as Vault does.
 * @throws KeyfleetError `invalid_request`, naming the field and never the value
 */
export function convertFields<Schema extends FieldSchema>(schema: Schema, raw: RawFields): FieldValues<Schema> {
  const values: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(schema)) {
    const sent = raw.get(name);
    values[name] = sent == null ? undefined : convertOne(name, field.type, sent);
  }
  return values as FieldValues<Schema>;
}

function convertOne(name: string, type: FieldType, sent: unknown): unknown {
  // Only inside a map does it matter how exactly a number was written.
  const converted = convert[type](isExactNumber(sent) ? Number(sent.rawJSON) : sent);
  if ('problem' in converted) {
    throw new KeyfleetError(
      'invalid_request',
      `Field validation failed: error converting input for field "${name}": ${converted.problem}`,
    );
  }
  return converted.value;
}
