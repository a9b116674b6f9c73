import { KeyfleetError } from '../errors.ts';

const mostKeys = 64;
const longestKey = 128;
const longestValue = 512;
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u;

/**
 * Checks custom metadata by Vault's limits.
 * @param given scalar values are turned into text
 * @throws KeyfleetError `invalid_request`
 */
export function checkCustomMetadata(given: Record<string, unknown>): Record<string, string> {
  const entries = Object.entries(given);
  if (entries.length > mostKeys) throw refused(`there are ${entries.length} keys where ${mostKeys} are allowed`);
  return Object.fromEntries(entries.map(([key, value]) => [checkedKey(key), checkedValue(key, value)]));
}

function checkedKey(key: string): string {
  const length = Buffer.byteLength(key);
  if (length === 0 || length > longestKey)
    throw refused(`a key has ${length} bytes where 1 to ${longestKey} are allowed`);
  if (!printable.test(key)) throw refused('a key contains characters that are not printable');
  return key;
}

function checkedValue(key: string, value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
    throw refused(`the value of ${JSON.stringify(key)} is not text`);
  }
  const text = String(value);
  const length = Buffer.byteLength(text);
  if (length === 0 || length > longestValue) {
    throw refused(`the value of ${JSON.stringify(key)} has ${length} bytes where 1 to ${longestValue} are allowed`);
  }
  if (!printable.test(text))
    throw refused(`the value of ${JSON.stringify(key)} contains characters that are not printable`);
  return text;
}

function refused(reason: string): KeyfleetError {
  return new KeyfleetError('invalid_request', `custom metadata validation failed: ${reason}`);
}
