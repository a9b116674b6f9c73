import { describe, expect, test } from 'vitest';
import { parseDuration } from '../../src/vault-api/duration.ts';
import { convertFields } from '../../src/vault-api/fields.ts';
import type { FieldType } from '../../src/vault-api/field-types.ts';

function converted(type: FieldType, sent: unknown): unknown {
  return convertFields({ x: { type, description: '' } }, new Map([['x', sent]])).x;
}

function problem(type: FieldType, sent: unknown): string {
  try {
    return `no problem: ${JSON.stringify(converted(type, sent))}`;
  } catch (error) {
    return (error as Error).message.replace('Field validation failed: error converting input for field "x": ', '');
  }
}

describe('accepted', () => {
  test.each<[FieldType, unknown, unknown]>([
    ['string', 'a', 'a'],
    ['string', '', ''],
    ['string', 12, '12'],
    ['string', 1.5, '1.5'],
    ['string', true, '1'],
    ['string', false, '0'],
    ['integer', 2, 2],
    ['integer', -2, -2],
    ['integer', 2.0, 2],
    ['integer', '2', 2],
    ['integer', ' 2 ', 2],
    ['integer', '+2', 2],
    ['integer', '-2', -2],
    ['integer', '007', 7],
    ['boolean', true, true],
    ['boolean', false, false],
    ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text): [FieldType, unknown, unknown] => ['boolean', text, true]),
    ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text): [FieldType, unknown, unknown] => [
      'boolean',
      text,
      false,
    ]),
    ['boolean', 1, true],
    ['boolean', 0, false],
    ['duration', 60, 60],
    ['duration', '60', 60],
    ['duration', '1h30m', 5400],
    ['duration', '2d', 172_800],
    ['duration', '0s', 0],
    ['list', ['encrypt', 'decrypt'], ['encrypt', 'decrypt']],
    ['list', ' encrypt , decrypt', ['encrypt', 'decrypt']],
    ['list', ['1', 2], ['1', '2']],
    ['list', [' a '], ['a']],
    ['list', 7, ['7']],
    ['list', '', []],
    ['list', [], []],
    ['pairs', { a: 'b', c: 1, d: true }, { a: 'b', c: '1', d: '1' }],
    ['pairs', ['client_id=a', 'client_secret=b=c'], { client_id: 'a', client_secret: 'b=c' }],
    ['pairs', 'tenant_id=t', { tenant_id: 't' }],
    ['pairs', 'secret=', { secret: '' }],
    ['pairs', {}, {}],
    ['pairs', [], {}],
    ['pairs', { secret: ' kept as it is ' }, { secret: ' kept as it is ' }],
    ['map', { a: { b: [1] } }, { a: { b: [1] } }],
  ])('%s from %j', (type, sent, expected) => {
    expect(converted(type, sent)).toEqual(expected);
  });
});

describe('refused, naming the field and never the value', () => {
  test.each<[FieldType, unknown, string]>([
    ['string', {}, 'expected a string, got a map'],
    ['string', ['a'], 'expected a string, got a list'],
    ['string', 2 ** 60, 'a number this large must be quoted'],
    ['integer', 'sesame', 'expected an integer, got a string'],
    ['integer', '', 'expected an integer, got an empty string'],
    ['integer', '1e3', 'expected an integer, got a string'],
    ['integer', 1.5, 'expected an integer, got a number'],
    ['integer', 2 ** 60, 'expected an integer, got a number'],
    ['integer', '1152921504606846976', 'expected an integer, got a string'],
    ['integer', true, 'expected an integer, got a boolean'],
    ['integer', [1], 'expected an integer, got a list'],
    ['boolean', 'yes', 'expected a boolean, got a string'],
    ['boolean', '', 'expected a boolean, got an empty string'],
    ['boolean', 2, 'expected a boolean, got a number'],
    ['boolean', {}, 'expected a boolean, got a map'],
    ['duration', 'soon', 'expected a duration, got a string'],
    ['duration', '1.5', 'expected a duration, got a string'],
    ['duration', -1, 'cannot be negative'],
    ['duration', '-1h', 'cannot be negative'],
    ['duration', true, 'expected a duration, got a boolean'],
    ['list', { a: 1 }, 'expected a list of strings, got a map'],
    ['list', ['a', null], 'expected a list of strings, got null'],
    ['list', [['a']], 'expected a list of strings, got a list'],
    ['pairs', 'sesame', 'expected name=value'],
    ['pairs', ['a=b', 'sesame'], 'expected name=value'],
    ['pairs', { a: { b: 'c' } }, 'expected a map of strings, got a map'],
    ['pairs', { a: null }, 'expected a map of strings, got null'],
    ['map', [], 'expected a map, got a list'],
    ['map', 'sesame', 'expected a map, got a string'],
  ])('%s from %j', (type, sent, expected) => {
    expect(problem(type, sent)).toBe(expected);
  });

  test('with the text that clients know', () => {
    expect(() => converted('integer', 'sesame')).toThrow(
      'Field validation failed: error converting input for field "x": expected an integer, got a string',
    );
  });
});

test.each<FieldType>(['string', 'integer', 'boolean', 'duration', 'list', 'pairs', 'map'])(
  'a %s that is null or was not sent is undefined',
  (type) => {
    expect(converted(type, null)).toBeUndefined();
    expect(convertFields({ x: { type, description: '' } }, new Map())).toEqual({ x: undefined });
  },
);

test('names that objects inherit are names like any others', () => {
  const labels = converted('pairs', JSON.parse('{"__proto__":"a","constructor":"b"}')) as Record<string, string>;
  expect(Object.entries(labels)).toEqual([
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ]);
  expect(Object.getPrototypeOf(labels)).toBe(Object.prototype);
  expect(convertFields({ x: { type: 'string', description: '' } }, new Map([['toString', 'a']]))).toEqual({});
});

test.each([
  ['0', 0],
  ['90', 90],
  ['-90', -90],
  ['1h', 3600],
  ['1.5h', 5400],
  ['1m1s', 61],
  ['500ms', 0],
  ['1500ms', 1],
  ['3000000us', 3],
  ['3000000µs', 3],
  ['2000000000ns', 2],
  ['+1d12h', 129_600],
  ['', undefined],
  ['h', undefined],
  ['1 h', undefined],
  ['1w', undefined],
  ['1h-1m', undefined],
  ['.5h', undefined],
  ['99999999999999999999', undefined],
  ['NaN', undefined],
  [1.5, undefined],
])('duration %j is %j seconds', (sent, seconds) => {
  expect(parseDuration(sent)).toBe(seconds);
});
