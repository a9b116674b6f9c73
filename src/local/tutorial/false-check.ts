/** Something isn't as it should be. */
export class FalseCheck extends Error {
  override readonly name = 'FalseCheck';
  readonly what: string;
  readonly expected: string;
  readonly seen: string;

  constructor({ what, expected, seen }: { what: string; expected: string; seen: string }, options?: ErrorOptions) {
    super(`${what}: expected ${expected}, seen ${seen}`, options);
    this.what = what;
    this.expected = expected;
    this.seen = seen;
  }
}

/** @returns the messages of an error and of its causes, the first of which often says little. */
export function explain(error: unknown): string {
  const messages: string[] = [];
  for (let current = error; current instanceof Error; current = current.cause) {
    const message = current.message || ('code' in current && String(current.code)) || current.name;
    if (!messages.some((known) => known.includes(message))) messages.push(message);
  }
  return messages.join(': ') || String(error);
}
