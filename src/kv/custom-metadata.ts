import { KeyfleetError } from '../errors.ts';

const mostKeys = 64;
const longestKey = 128;
const longestValue = 512;
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u;

/**
 * Checks custom metadata by Vault's limits, which count bytes.
 * @returns null for none
 * @throws KeyfleetError `invalid_request`
 */
export function checkCustomMetadata(given: ReadonlyMap<string, string>): Record<string, string> | null {
  if (given.size > mostKeys) throw refused(`there are ${given.size} keys where ${mostKeys} are allowed`);
  for (const [key, value] of given) {
    check(key, 'a key', longestKey);
    check(value, `the value of ${JSON.stringify(key)}`, longestValue);
  }
  return given.size === 0 ? null : Object.fromEntries(given);
}

function check(text: string, name: string, longest: number): void {
  const length = Buffer.byteLength(text);
  if (length === 0 || length > longest) throw refused(`${name} has ${length} bytes where 1 to ${longest} are allowed`);
  if (!printable.test(text)) throw refused(`${name} contains characters that are not printable`);
}

function refused(reason: string): KeyfleetError {
  return new KeyfleetError('invalid_request', `custom_metadata validation failed: ${reason}`);
}
