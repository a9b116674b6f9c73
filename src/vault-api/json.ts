import { parseExactJson } from '../exact-json.ts';
import { invalidRequest } from './errors.ts';
import type { RawFields } from './field-types.ts';

const maximumDepth = 64;

/**
 * Reads the fields of a JSON body. Nothing and `null` are no fields; of a repeated name the last one counts.
 * @throws KeyfleetError `invalid_request`, never quoting the body: it may hold secrets
 */
export function parseJsonFields(body: Buffer): RawFields {
  const text = decodeUtf8(body);
  if (text.trim() === '') return new Map();
  if (depthOf(text) > maximumDepth) {
    throw invalidRequest(`failed to parse JSON input: nested deeper than ${maximumDepth} levels`);
  }
  const value = parse(text);
  if (value === null) return new Map();
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw invalidRequest('failed to parse JSON input: expected an object');
  }
  return new Map(Object.entries(value));
}

function decodeUtf8(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw invalidRequest('failed to parse JSON input: not valid UTF-8');
  }
}

function parse(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch (error) {
    const [, position] = /at position (\d+)/.exec(error instanceof Error ? error.message : '') ?? [];
    throw invalidRequest(
      `failed to parse JSON input: ${position === undefined ? 'it ends too early or is not JSON' : `unexpected character at position ${position}`}`,
    );
  }
}

/**
 * Deepest nesting of brackets outside strings; right for every text that is JSON. A loop, because a pattern would take
 * quadratic time on strings that never end.
 */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === '"') inString = !inString;
    else if (inString) index += character === '\\' ? 1 : 0;
    else if (character === '[' || character === '{') deepest = Math.max(deepest, ++depth);
    else if (character === ']' || character === '}') depth--;
  }
  return deepest;
}
