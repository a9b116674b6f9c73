import { invalidRequest } from './errors.ts';
import type { RawFields } from './field-types.ts';
import { convertFields } from './fields.ts';
import type { RequestedOperation } from './operations.ts';

const name = 'dry_run';
const schema = { [name]: { type: 'boolean', description: 'Tells what would change and changes nothing.' } } as const;

/**
 * Tells a request that wants to know what it would change from one that wants to change it. The wish may stand in the
 * query or among the fields of the body: Vault's CLI sends what a write is given in its body alone.
 * @returns the fields without the wish. Reads change nothing: they have no such wish and keep their fields.
 * @throws KeyfleetError `invalid_request` if the wish can't be read, since nobody who has one wants the real change
 */
export function takeDryRun(
  operation: RequestedOperation,
  query: RawFields,
  fields: RawFields,
): { dryRun: boolean; fields: RawFields } {
  if (operation !== 'write' && operation !== 'patch' && operation !== 'delete') return { dryRun: false, fields };
  const wishes = [query, fields].map((sent) => convertFields(schema, sent)[name]);
  return { dryRun: wishes.includes(true), fields: new Map([...fields].filter(([field]) => field !== name)) };
}

/** @throws KeyfleetError `invalid_request` */
export function refuseDryRun(): never {
  throw invalidRequest(`${name} is not supported here, so nothing was done`);
}
