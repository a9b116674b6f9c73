import { describe, expect, test } from 'vitest';
import { checkCustomMetadata } from '../../src/kv/custom-metadata.ts';

const numbered = (count: number) =>
  new Map(Array.from({ length: count }, (_, index) => [`key-${index}`, 'value'] as const));
const refusal = (given: [string, string][]) => {
  try {
    checkCustomMetadata(new Map(given));
  } catch (error) {
    return error;
  }
  throw new Error('it was not refused');
};

describe('custom metadata', () => {
  test('may have 64 keys, and not one more', () => {
    expect(Object.keys(checkCustomMetadata(numbered(64)) ?? {})).toHaveLength(64);
    expect(() => checkCustomMetadata(numbered(65))).toThrow(/^custom_metadata validation failed: .*65.*64/);
  });

  test('has keys and values up to 128 and 512 bytes, of whatever script', () => {
    const longest = new Map([
      ['k'.repeat(128), 'v'.repeat(512)],
      ['ü'.repeat(64), '🔑'.repeat(128)],
    ]);
    expect(checkCustomMetadata(longest)).toEqual(Object.fromEntries(longest));
  });

  test.each<[string, [string, string]]>([
    ['no key', ['', 'v']],
    ['no value', ['k', '']],
    ['too long a key', ['k'.repeat(129), 'v']],
    ['too long a key, in bytes', ['ü'.repeat(65), 'v']],
    ['too long a value', ['k', 'v'.repeat(513)]],
    ['a tab', ['k', 'a\tb']],
    ['a line break in the key', ['k\n', 'v']],
    ['a no-break space', ['k', 'a\u00a0b']],
    ['a zero-width joiner', ['k', 'a\u200db']],
    ['a lone surrogate', ['k', '\ud800']],
  ])('is refused with %s', (_name, entry) => {
    expect(refusal([entry])).toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(/^custom_metadata validation failed: /) as string,
    });
  });

  test('never quotes a value, nor a key that is not one', () => {
    const messages = [refusal([['k', 'secret\tvalue']]), refusal([['odd\tkey', 'v']]), refusal([['', 'secret']])];
    for (const error of messages) expect((error as Error).message).not.toMatch(/secret|odd/);
  });

  test('is null for none, and takes names of prototypes for names', () => {
    expect(checkCustomMetadata(new Map())).toBeNull();
    expect(JSON.stringify(checkCustomMetadata(new Map([['__proto__', 'x']])))).toBe('{"__proto__":"x"}');
  });
});
