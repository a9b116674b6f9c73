import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseExactJson } from '../../src/exact-json.ts';
import { isObject, mergePatch, subkeysOf, type JsonObject } from '../../src/kv/merge-patch.ts';
import { runsOf } from '../support/runs.ts';

const parse = (text: string) => parseExactJson(text) as JsonObject;
const patched = (target: string, patch: string) => JSON.stringify(mergePatch(parse(target), parse(patch)));

describe('a merge patch', () => {
  // The cases of RFC 7396, appendix A, whose target and patch are objects.
  test.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ])('%s with %s is %s', (target, patch, result) => {
    expect(patched(target, patch)).toBe(result);
  });

  test.each([
    ['{"a":12345678901234567890,"b":1.0}', '{"c":1e400}', '{"a":12345678901234567890,"b":1.0,"c":1e400}'],
    ['{"a":1}', '{"a":1.0}', '{"a":1.0}'],
    ['{"a":1.0}', '{"a":{"b":-0}}', '{"a":{"b":-0}}'],
    ['{"a":{"b":2.50}}', '{"a":{"c":0.1}}', '{"a":{"b":2.50,"c":0.1}}'],
    ['{"a":1}', '{"a":[1.0,null]}', '{"a":[1.0,null]}'],
  ])('keeps numbers as they were written: %s with %s', (target, patch, result) => {
    expect(patched(target, patch)).toBe(result);
  });

  test('takes names of prototypes for names', () => {
    expect(patched('{"a":1}', '{"__proto__":{"x":1},"constructor":2}')).toBe(
      '{"a":1,"__proto__":{"x":1},"constructor":2}',
    );
    expect(patched('{"__proto__":{"x":1}}', '{"__proto__":{"y":2}}')).toBe('{"__proto__":{"x":1,"y":2}}');
    expect(patched('{"toString":1}', '{"toString":null}')).toBe('{}');
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  test('changes neither of the two', () => {
    const [target, patch] = [parse('{"a":{"b":1}}'), parse('{"a":{"b":null,"c":2}}')];
    mergePatch(target, patch);
    expect(JSON.stringify([target, patch])).toBe('[{"a":{"b":1}},{"a":{"b":null,"c":2}}]');
  });

  const tree = fc.letrec<{ object: JsonObject; value: unknown }>((tie) => ({
    object: fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__'), tie('value'), { maxKeys: 4 }),
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constant(null),
      fc.integer(),
      fc.array(fc.integer(), { maxLength: 2 }),
      tie('object'),
    ),
  })).object;

  test('does to every member what the patch says of it', () => {
    fc.assert(
      fc.property(tree, tree, (target, patch) => {
        const check = (before: unknown, change: JsonObject, after: JsonObject) => {
          const old = isObject(before) ? new Map(Object.entries(before)) : new Map<string, unknown>();
          const now = new Map(Object.entries(after));
          for (const [name, value] of old) if (!Object.hasOwn(change, name)) expect(now.get(name)).toEqual(value);
          for (const [name, value] of Object.entries(change)) {
            if (value === null) expect(now.has(name)).toBe(false);
            else if (isObject(value)) check(old.get(name), value, now.get(name) as JsonObject);
            else expect(now.get(name)).toEqual(value);
          }
          for (const name of now.keys()) expect(old.has(name) || Object.hasOwn(change, name)).toBe(true);
        };
        const merged = mergePatch(target, patch);
        check(target, patch, merged);
        expect(mergePatch(merged, patch)).toEqual(merged);
      }),
      runsOf({ usually: 500, long: 20_000 }),
    );
  });
});

describe('the shape of a secret', () => {
  const value = parse('{"a":1.0,"b":{"c":{"d":"x","e":{}},"f":[{"g":1}]},"h":null,"i":{}}');

  test.each([
    [0, { a: null, b: { c: { d: null, e: null }, f: null }, h: null, i: null }],
    [1, { a: null, b: null, h: null, i: null }],
    [2, { a: null, b: { c: null, f: null }, h: null, i: null }],
    [3, { a: null, b: { c: { d: null, e: null }, f: null }, h: null, i: null }],
    [-1, { a: null, b: { c: { d: null, e: null }, f: null }, h: null, i: null }],
    [99, { a: null, b: { c: { d: null, e: null }, f: null }, h: null, i: null }],
  ])('to depth %d', (depth, shape) => {
    expect(subkeysOf(value, depth)).toEqual(shape);
  });
});

describe('exact JSON', () => {
  test.each([
    '12345678901234567890',
    '-0',
    '1.0',
    '1e5',
    '1E400',
    '0.1',
    '[1.10,{"a":-1e-7}]',
    '{"a":{"rawJSON":"1"}}',
    '{"__proto__":{"b":1.0}}',
    '"\\ud800"',
  ])('%s is written as it was read', (text) => {
    expect(JSON.stringify(parseExactJson(text))).toBe(text);
  });

  test('of a repeated name the last one counts', () => {
    expect(JSON.stringify(parseExactJson('{"a":[1.0],"a":2.0,"b":1,"b":1.0}'))).toBe('{"a":2.0,"b":1.0}');
  });
});
