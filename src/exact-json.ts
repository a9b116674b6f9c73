/**
 * A JSON number that a JavaScript number can't hold to the last digit, or would write differently: `12345678901234567890`,
 * `1.0`. `JSON.stringify` writes it as it was read.
 */
export interface ExactNumber {
  readonly rawJSON: string;
}

interface ExactJson {
  parse(text: string, reviver: (name: string, value: unknown, context: { source?: string }) => unknown): unknown;
  rawJSON(text: string): ExactNumber;
  isRawJSON(value: unknown): value is ExactNumber;
}

/** ES2026's source text access, which the compiler's library doesn't describe yet. */
const exactJson = JSON as unknown as ExactJson;

/**
 * Parses JSON so that writing it again gives the same numbers.
 * @throws SyntaxError
 */
export function parseExactJson(text: string): unknown {
  return exactJson.parse(text, (_name, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? exactJson.rawJSON(source) : value,
  );
}

export function isExactNumber(value: unknown): value is ExactNumber {
  return exactJson.isRawJSON(value);
}
