import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyfleetError } from '../../src/errors.ts';
import { canonicalisePath } from '../../src/vault-api/paths.ts';

const base = 'https://keyfleet.example';

function outcome(url: string, parameter?: string): string {
  try {
    const { path, trailingSlash } = canonicalisePath(base + url, parameter);
    return path + (trailingSlash ? '/' : '');
  } catch (error) {
    if (!(error instanceof KeyfleetError)) throw error;
    return `${error.status} ${error.message}`.trim();
  }
}

const ambiguous = '400 ambiguous path: percent-encoded slashes, dots and percent signs are not supported';
const empty = '400 path contains an empty segment ("//")';
const relative = '400 relative paths not supported';
const unprintable = '400 path contains non-printable characters';

describe('what the host shows of a path', () => {
  // sent -> url and parameter as the host was observed to show them
  test.each([
    ['plain', '/v1/keymgmt/key/a', 'v1/keymgmt/key/a', 'keymgmt/key/a'],
    ['a trailing slash', '/v1/keymgmt/key/', 'v1/keymgmt/key/', 'keymgmt/key/'],
    ['a space', '/v1/kv/a%20b', 'v1/kv/a b', 'kv/a b'],
    ['letters outside ASCII', '/v1/kv/a%C3%A9', 'v1/kv/aé', 'kv/aé'],
    ['a plus', '/v1/kv/a+b', 'v1/kv/a+b', 'kv/a+b'],
    ['signs', "/v1/kv/;:@=,'~", "v1/kv/;:@=,'~", "kv/;:@=,'~"],
    ['a number sign', '/v1/kv/a%23b', 'v1/kv/a#b', 'kv/a#b'],
    ['a backslash', '/v1/kv/a%5Cb', 'v1/kv/a\\b', 'kv/a\\b'],
    ['a percent sign that encodes nothing', '/v1/kv/a%25zz', 'v1/kv/a%zz', 'kv/a%zz'],
    ['dots within names', '/v1/kv/a..b/.c/d.', 'v1/kv/a..b/.c/d.', 'kv/a..b/.c/d.'],
    ['an encoded slash', '/v1/kv/a%2fb', 'v1/kv/a%2fb', ambiguous],
    ['an encoded slash in upper case', '/v1/kv/a%2Fb', 'v1/kv/a%2Fb', ambiguous],
    ['a doubly encoded slash, for which the url is the same', '/v1/kv/a%2fb', 'v1/kv/a%2fb', ambiguous],
    ['a slash that only the parameter has', '/v1/kv/a%2fb', 'v1/kv/a/b', 'kv/a/b'],
    ['doubly encoded dots: url and parameter disagree', '/x', 'v1/%2e%2e/x', ambiguous],
    ['a doubly encoded letter', '/v1/kv/%41', 'v1/kv/%41', ambiguous],
    ['a letter encoded three times', '/v1/kv/%2541', 'v1/kv/%41', ambiguous],
    ['bytes that are not UTF-8', '/v1/kv/a%ff', 'v1/kv/a%ff', ambiguous],
    ['another path in the parameter', '/v1/kv/a', 'v1/kv/b', ambiguous],
    ['a parameter that is missing', '/v1/kv/a', undefined, ambiguous],
    ['letters in another case', '/V1/kv/a', 'V1/kv/a', '404'],
    ['a newline', '/v1/kv/a%0Ab', 'v1/kv/a\nb', unprintable],
    ['NUL', '/v1/kv/a%00', 'v1/kv/a\0', unprintable],
    ['a right-to-left mark', '/v1/kv/a%E2%80%8F', 'v1/kv/a\u200f', unprintable],
    ['a space that is no space', '/v1/kv/a%C2%A0b', 'v1/kv/a\u00a0b', unprintable],
    ['a dot segment', '/v1/kv/./a', 'v1/kv/./a', relative],
    ['a dot-dot segment', '/v1/kv/../a', 'v1/kv/../a', relative],
    ['a dot-dot segment at the end', '/v1/kv/..', 'v1/kv/..', relative],
    ['a doubled slash', '/v1/kv//a', 'v1/kv//a', empty],
    ['a doubled slash after the version', '/v1//kv/a', 'v1//kv/a', empty],
    ['a doubled slash at the end', '/v1/kv/a//', 'v1/kv/a//', empty],
    ['a doubled slash at the start', '//v1/kv', '/v1/kv', empty],
    ['the root', '/', undefined, '404'],
    ['the version alone', '/v1', 'v1', '404'],
    ['the version and a slash', '/v1/', 'v1/', '404'],
    ['something else', '/ui/vault', 'ui/vault', '404'],
    ['another version', '/v2/kv/a', 'v2/kv/a', '404'],
  ])('%s', (_what, url, parameter, expected) => {
    expect(outcome(url, parameter)).toBe(expected);
  });
});

test('the query starts at the first question mark and stays raw', () => {
  expect(canonicalisePath(`${base}/v1/a?b=c%2fd?e#f`, 'v1/a').query).toBe('b=c%2fd?e#f');
  expect(canonicalisePath(`${base}/v1/a`, 'v1/a').query).toBe('');
});

test.each(['', 'v1/a', '/v1/a', 'https://', 'https://host', 'https://host?v1/a'])('no path is found in "%s"', (url) => {
  expect(() => canonicalisePath(url, 'v1/a')).toThrow(KeyfleetError);
});

const piece = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'key', 'A', '-', '_', '~') },
  {
    weight: 4,
    arbitrary: fc.constantFrom('/', '.', '..', '//', '%2e', '%2F', '%25', '%252f', '%2525', '%', '\\', '%5c'),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('%00', '%0a', ' ', '%20', 'é', '%c3%a9', '%ff', '?', '#', ';', '+', '\u202e'),
  },
);
const spelling = fc.array(piece, { maxLength: 12 }).map((pieces) => `/v1/kv/${pieces.join('')}`);

test('no two spellings that are let through are different to anyone who looks at them', () => {
  fc.assert(
    fc.property(spelling, fc.option(spelling), (url, other) => {
      const encoded = url.split('?', 1)[0] ?? '';
      const parameters = [encoded.slice(1), tryDecode(encoded).slice(1), other === null ? 'v1/kv' : other.slice(1)];
      for (const parameter of parameters) {
        const found = outcome(url, parameter);
        if (/^4\d\d/.test(found)) continue;
        // The url and the parameter name it, and decoding or resolving it once more changes nothing.
        expect(`v1/${found}`).toBe(parameter);
        expect(`v1/${found}`).toBe(tryDecode(encoded).slice(1));
        expect(tryDecode(found)).toBe(found);
        expect(found.split('/').slice(0, -1)).not.toContain('');
        expect(found).not.toMatch(/[^\S ]|\p{C}/u);
        // What is let through is a fixed point: sent again as it is, it is the same path.
        const again = `/v1/${found.split('/').map(encodeURIComponent).join('/')}`;
        expect(outcome(again, parameter)).toBe(found);
        expect(decodeURIComponent(new URL(base + again).pathname)).toBe(`/v1/${found}`);
      }
    }),
    { numRuns: 3000 },
  );
});

function tryDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
