/** A request target as the host reads it. */
export interface Target {
  /** Decoded but for slashes (`%2f` stays), dot segments resolved: what routes match. */
  path: string;
  /** With its question mark, exactly as sent; empty when there is none. */
  rawQuery: string;
}

/** @returns undefined for a path that the server refuses (an encoded NUL) */
export function parseTarget(originForm: string): Target | undefined {
  const question = originForm.indexOf('?');
  const rawPath = question < 0 ? originForm : originForm.slice(0, question);
  const rawQuery = question < 0 ? '' : originForm.slice(question);
  if (rawPath.includes('%00')) return undefined;
  const decoded = rawPath.includes('%') ? percentDecode(rawPath, { keepSlash: true }) : rawPath;
  return { path: removeDotSegments(decoded), rawQuery };
}

/**
 * The path as it appears in `request.url`: re-encoded, but anything that looks like an escape is left alone. So what
 * was sent as `%252f` comes out as `%2f`.
 */
export function encodePath(path: string): string {
  return path.replace(/%[0-9a-f]{2}|%|[^a-z0-9\-._~!$&'()*+,;=:@/%]+/gi, (text) =>
    text.length === 3 && text.startsWith('%') ? text : encodeText(text),
  );
}

function encodeText(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^]/gu, (character) =>
      Buffer.from(character).reduce((hex, byte) => `${hex}%${byte.toString(16).toUpperCase().padStart(2, '0')}`, ''),
    );
}

/**
 * `request.query`: names without regard to case, the values of one name joined by commas.
 * @param rawQuery with or without its question mark
 */
export function parseQuery(rawQuery: string): Record<string, string> {
  const query: Record<string, string> = {};
  const spelling = new Map<string, string>();
  for (const pair of rawQuery.replace(/^\?/, '').split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decodeQuery(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : decodeQuery(pair.slice(equals + 1));
    const first = spelling.get(name.toLowerCase());
    if (first === undefined) {
      spelling.set(name.toLowerCase(), name);
      query[name] = value;
    } else query[first] = `${query[first]},${value}`;
  }
  return query;
}

function decodeQuery(text: string): string {
  const spaced = text.replaceAll('+', ' ');
  return spaced.includes('%') ? percentDecode(spaced, { keepSlash: false }) : spaced;
}

/** Decodes what is valid UTF-8 and leaves every other escape as it stands. */
function percentDecode(text: string, { keepSlash }: { keepSlash: boolean }): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => decodeRun(run, keepSlash));
}

function decodeRun(run: string, keepSlash: boolean): string {
  const bytes = Buffer.from(run.replaceAll('%', ''), 'hex');
  let decoded = '';
  let index = 0;
  while (index < bytes.length) {
    const length = sequenceLength(bytes[index] ?? 0);
    const sequence = bytes.subarray(index, index + length);
    const character = sequence.toString('utf8');
    // A replacement character that doesn't encode back was not in the text.
    const isValid = length > 0 && sequence.length === length && Buffer.from(character).equals(sequence);
    if (isValid && !(keepSlash && character === '/')) {
      decoded += character;
      index += length;
    } else decoded += run.slice(index * 3, ++index * 3);
  }
  return decoded;
}

function sequenceLength(firstByte: number): number {
  if (firstByte < 0x80) return 1;
  if (firstByte < 0xc2) return 0;
  if (firstByte < 0xe0) return 2;
  if (firstByte < 0xf0) return 3;
  return firstByte < 0xf5 ? 4 : 0;
}

function removeDotSegments(path: string): string {
  if (!path.includes('/.')) return path;
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  segments.forEach((segment, index) => {
    const isDots = segment === '.' || segment === '..';
    if (segment === '..') kept.pop();
    if (!isDots) kept.push(segment);
    else if (index === segments.length - 1) kept.push('');
  });
  return `/${kept.join('/')}`;
}
