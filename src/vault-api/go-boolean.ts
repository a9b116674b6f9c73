const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
]);

/** @returns undefined if Go's `strconv.ParseBool` would refuse the text. */
export function parseGoBoolean(text: string): boolean | undefined {
  return booleans.get(text);
}
