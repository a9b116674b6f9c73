/** A value of HCL or JSON. A block keeps its entries in order, repeated names included: a later `deny` must count. */
export type HclValue = string | number | boolean | null | readonly HclValue[] | HclBlock;

export interface HclBlock {
  entries: readonly HclEntry[];
}

export interface HclEntry {
  name: string;
  value: HclValue;
}

/** Says what is wrong, and in which line. */
export class HclSyntaxError extends Error {
  override readonly name = 'HclSyntaxError';
}

interface Lexeme {
  kind: 'punctuation' | 'string' | 'word' | 'number' | 'end';
  text: string;
  line: number;
}

/** Deep enough for everything a policy can hold. */
const maximumDepth = 8;

const blank = /(?:[\s\uFEFF]+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/y;
const patterns = [
  ['punctuation', /[{}[\],=:]/y],
  ['string', /"(?:[^"\\\n]|\\.)*"/y],
  ['word', /[A-Za-z_][\w.-]*/y],
  ['number', /-?\d+(?:\.\d+)?/y],
] as const;

/**
 * Reads what policies use of HCL version 1: blocks with quoted labels, attributes, lists and comments; and JSON, which
 * it takes for the same thing with other punctuation.
 * @throws HclSyntaxError
 */
export function parseHcl(text: string): HclBlock {
  const isJson = text.trimStart().startsWith('{');
  if (isJson) checkJson(text);
  const lexemes = lex(text);
  let position = 0;

  const peek = (): Lexeme => lexemes[position] ?? { kind: 'end', text: '', line: 0 };

  function take(kind: Lexeme['kind'], expected?: string): Lexeme {
    const lexeme = peek();
    if (lexeme.kind !== kind || (expected !== undefined && lexeme.text !== expected)) throw unexpected(lexeme);
    position++;
    return lexeme;
  }

  function skip(punctuation: string): boolean {
    const found = peek().kind === 'punctuation' && peek().text === punctuation;
    if (found) position++;
    return found;
  }

  /** Entries up to the closing brace, or to the end of the text. */
  function readEntries(depth: number, closing: boolean): HclBlock {
    const entries: HclEntry[] = [];
    while (closing ? !skip('}') : peek().kind !== 'end') {
      entries.push(readEntry(depth));
      skip(',');
    }
    return { entries };
  }

  function readEntry(depth: number): HclEntry {
    const names = [readName()];
    while (peek().kind === 'string' || peek().kind === 'word') names.push(readName());
    const assigned = skip('=') || skip(':');
    if (!assigned && peek().text !== '{') throw unexpected(peek());
    // `path "a" { }` is the block `a` in the block `path`.
    const nested = names.reverse();
    let value = readValue(depth + nested.length);
    for (const name of nested.slice(0, -1)) value = { entries: [{ name, value }] };
    return { name: nested.at(-1) ?? '', value };
  }

  function readName(): string {
    return peek().kind === 'string' ? unquote(take('string')) : take('word').text;
  }

  function readValue(depth: number): HclValue {
    const lexeme = peek();
    if (depth > maximumDepth) throw new HclSyntaxError(`line ${lexeme.line}: nested too deep`);
    if (skip('{')) return readEntries(depth, true);
    if (skip('[')) return readList(depth);
    if (lexeme.kind === 'string') return unquote(take('string'));
    if (lexeme.kind === 'number') return Number(take('number').text);
    const word = take('word').text;
    if (word === 'true' || word === 'false') return word === 'true';
    if (word === 'null') return null;
    throw unexpected(lexeme);
  }

  function readList(depth: number): HclValue[] {
    const items: HclValue[] = [];
    while (!skip(']')) {
      items.push(readValue(depth + 1));
      if (peek().text !== ']') take('punctuation', ',');
    }
    return items;
  }

  if (!isJson) return readEntries(0, false);
  take('punctuation', '{');
  return readEntries(0, true);
}

function lex(text: string): Lexeme[] {
  const lexemes: Lexeme[] = [];
  let line = 1;
  let at = 0;
  const advance = (length: number): string => {
    const passed = text.slice(at, at + length);
    line += passed.split('\n').length - 1;
    at += length;
    return passed;
  };
  for (;;) {
    blank.lastIndex = at;
    advance(blank.exec(text)?.[0].length ?? 0);
    if (at >= text.length) return [...lexemes, { kind: 'end', text: 'the end', line }];
    lexemes.push(lexOne(text, at, line));
    advance(lexemes.at(-1)?.text.length ?? 0);
  }
}

function lexOne(text: string, at: number, line: number): Lexeme {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) return { kind, text: found, line };
  }
  if (text.startsWith('<<', at)) throw new HclSyntaxError(`line ${line}: heredocs are not supported`);
  if (text.startsWith('/*', at)) throw new HclSyntaxError(`line ${line}: a comment does not end`);
  if (text[at] === '"') throw new HclSyntaxError(`line ${line}: a string does not end`);
  throw new HclSyntaxError(`line ${line}: unexpected character`);
}

function unquote({ text, line }: Lexeme): string {
  if (text.includes('${')) throw new HclSyntaxError(`line ${line}: interpolation ("\${") is not supported`);
  try {
    return JSON.parse(text) as string;
  } catch {
    throw new HclSyntaxError(`line ${line}: a string holds an escape or a character that is not supported`);
  }
}

function checkJson(text: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw new HclSyntaxError('it starts like JSON but is not valid JSON');
  }
}

function unexpected({ text, line }: Lexeme): HclSyntaxError {
  return new HclSyntaxError(`line ${line}: unexpected ${text.slice(0, 40)}`);
}
