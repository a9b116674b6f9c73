import { beforeAll, describe, expect, test } from 'vitest';
import { type CallOptions, createHarness, type Harness, hostRequest, sampleMount } from './support/harness.ts';
import { createMemoryMountStore } from './support/memory-stores.ts';
import { createSampleEngine } from './support/sample-engine.ts';

let harness: Harness;

beforeAll(async () => {
  const mounts = createMemoryMountStore([sampleMount()]);
  harness = await createHarness({ engines: [createSampleEngine()], mounts });
});

const form = { 'content-type': 'application/x-www-form-urlencoded' };

async function fieldsOf(options: CallOptions): Promise<unknown> {
  const answer = await harness.call('PUT', '/v1/keymgmt/echo/a', options);
  expect(answer.status).toBe(200);
  return (answer.json.data as { fields: unknown }).fields;
}

describe('fields of a body', () => {
  test.each<[string, CallOptions, unknown]>([
    ['an object without a type', { body: '{"text":"a"}' }, { text: 'a' }],
    [
      'an object with some other type',
      { body: '{"text":"a"}', headers: { 'content-type': 'text/plain' } },
      { text: 'a' },
    ],
    ['an object sent as a form', { body: ' \n{"text":"a"}', headers: form }, { text: 'a' }],
    ['a form', { body: 'text=a+b%3D&count=2', headers: form }, { text: 'a b=', count: 2 }],
    ['a form with a repeated field', { body: 'items=a&items=b', headers: form }, { items: ['a', 'b'] }],
    [
      'a form with its charset',
      { body: 'text=a', headers: { 'content-type': `${form['content-type']}; charset=utf-8` } },
      { text: 'a' },
    ],
    ['nothing', {}, {}],
    ['no bytes', { body: '' }, {}],
    ['no bytes sent as a form', { body: '', headers: form }, {}],
    ['white space', { body: ' \r\n\t' }, {}],
    ['null', { body: 'null' }, {}],
    ['an empty object', { body: '{}' }, {}],
    ['fields that are null', { body: '{"text":null,"count":null,"tree":null}' }, {}],
    ['a repeated name', { body: '{"text":"a","text":"b"}' }, { text: 'b' }],
    ['letters outside ASCII', { body: '{"text":"é€😀"}' }, { text: 'é€😀' }],
    [
      'nesting up to 64',
      { body: `{"tree":{"a":${'['.repeat(62)}${']'.repeat(62)}}}` },
      { tree: { a: expect.anything() as unknown } },
    ],
    ['brackets in strings', { body: JSON.stringify({ text: '[{"\\'.repeat(100) }) }, { text: '[{"\\'.repeat(100) }],
  ])('%s', async (_what, options, expected) => {
    expect(await fieldsOf(options)).toEqual(expected);
  });

  test('are those of the query for reads and deletes, and not for writes', async () => {
    const read = await harness.call('GET', '/v1/keymgmt/echo/a?text=a+b%20c%2B&count=2&items=x,y');
    expect(read.json.data).toMatchObject({ fields: { text: 'a b c+', count: 2, items: ['x', 'y'] } });
    const write = await harness.call('PUT', '/v1/keymgmt/echo/a?text=a', { body: { count: 1 } });
    expect(write.json.data).toMatchObject({ fields: { count: 1 } });
    expect(write.body).not.toContain('text');
    expect((await harness.call('DELETE', '/v1/keymgmt/echo/a?count=x')).status).toBe(400);
  });

  test('harm nobody when they are called __proto__', async () => {
    const answer = await harness.call('PUT', '/v1/keymgmt/echo/a', {
      body: '{"__proto__":{"flag":true},"constructor":{"prototype":{"flag":true}},"tree":{"__proto__":{"flag":true}}}',
    });
    expect(answer.json.warnings).toEqual(['Endpoint ignored these unrecognized parameters: [__proto__ constructor]']);
    expect(answer.json.data).not.toHaveProperty('fields.flag');
    expect(({} as { flag?: boolean }).flag).toBeUndefined();
  });
});

describe('refused bodies', () => {
  const deep = `{"tree":${'['.repeat(100)}${']'.repeat(100)}}`;
  test.each<[string, CallOptions, number, string]>([
    [
      'half an object',
      { body: '{"text":"sesame' },
      400,
      'failed to parse JSON input: unexpected character at position 15',
    ],
    ['no JSON', { body: 'sesame' }, 400, 'failed to parse JSON input: it ends too early or is not JSON'],
    [
      'a comma too many',
      { body: '{"text":"a",}' },
      400,
      'failed to parse JSON input: unexpected character at position 12',
    ],
    ['two objects', { body: '{}{}' }, 400, 'failed to parse JSON input: unexpected character at position 2'],
    ['a list', { body: '["a"]' }, 400, 'failed to parse JSON input: expected an object'],
    ['a string', { body: '"a"' }, 400, 'failed to parse JSON input: expected an object'],
    ['a number', { body: '5' }, 400, 'failed to parse JSON input: expected an object'],
    [
      'bytes that are not UTF-8',
      { body: Buffer.from('7b2274657874223a22ff227d', 'hex') },
      400,
      'failed to parse JSON input: not valid UTF-8',
    ],
    ['a byte order mark', { body: '\ufeff{}' }, 400, 'failed to parse JSON input: it ends too early or is not JSON'],
    ['nesting', { body: deep }, 400, 'failed to parse JSON input: nested deeper than 64 levels'],
    [
      'a chunked body',
      { headers: { 'transfer-encoding': 'chunked' } },
      411,
      'chunked bodies are not supported: send Content-Length',
    ],
    [
      'any transfer encoding',
      { headers: { 'transfer-encoding': '' }, body: '{}' },
      411,
      'chunked bodies are not supported: send Content-Length',
    ],
    [
      'a length over the limit',
      { headers: { 'content-length': '1048577' }, body: '{}' },
      413,
      'request body is larger than 1048576 bytes',
    ],
    [
      'a body over the limit',
      { headers: { 'content-length': '2' }, body: Buffer.alloc(1_048_577, ' ') },
      413,
      'request body is larger than 1048576 bytes',
    ],
    [
      'a length without a body',
      { headers: { 'content-length': '2' } },
      400,
      'request body was lost on the way: send it again',
    ],
    ['a length that is none', { headers: { 'content-length': 'two' } }, 400, 'Content-Length is not a number'],
  ])('%s', async (_what, options, status, message) => {
    const answer = await harness.call('PUT', '/v1/keymgmt/echo/a', options);
    expect(answer).toMatchObject({ status, json: { errors: [message] } });
    expect(answer.body).not.toContain('sesame');
  });

  test('a body of just the limit is read', async () => {
    expect(await fieldsOf({ body: Buffer.alloc(1_048_576, ' ') })).toEqual({});
  });

  test.each(['003', '+3'])('a Content-Length of %s is what the host takes it for', async (length) => {
    expect(await fieldsOf({ body: '{ }', headers: { 'content-length': length } })).toEqual({});
  });

  test('nobody waits for the body of a read', async () => {
    const answer = await harness.call('GET', '/v1/keymgmt/echo/a', { headers: { 'transfer-encoding': 'chunked' } });
    expect(answer.status).toBe(200);
  });

  test('deep nesting is refused before it is parsed', async () => {
    const answer = await harness.call('PUT', '/v1/keymgmt/echo/a', { body: '['.repeat(1_000_000) });
    expect(answer.json.errors).toEqual(['failed to parse JSON input: nested deeper than 64 levels']);
  });
});

test.each<[string, string]>([
  ['a string that never ends', '"' + '\\"'.repeat(500_000)],
  ['quotes', '"'.repeat(1_000_001)],
  ['backslashes', '"' + '\\'.repeat(1_000_000)],
  ['white space', ' '.repeat(1_000_000) + 'x'],
  ['digits', '{"period":"' + '1'.repeat(1_000_000) + '"}'],
  ['units', '{"period":"' + '1m'.repeat(500_000) + 'x"}'],
  ['commas', '{"labels":"' + ','.repeat(1_000_000) + '"}'],
])('a megabyte of %s is refused in no time', async (_what, body) => {
  const started = performance.now();
  const answer = await harness.call('PUT', '/v1/keymgmt/echo/a', { body });
  expect(answer.status).toBe(400);
  expect(performance.now() - started).toBeLessThan(1000);
});

describe('patches', () => {
  test.each([
    [undefined, 400, 'PATCH requires Content-Type of application/merge-patch+json'],
    ['application/json', 415, 'PATCH requires Content-Type of application/merge-patch+json, provided application/json'],
  ])('of type %s are refused', async (type, status, message) => {
    const headers = type === undefined ? {} : { 'content-type': type };
    const answer = await harness.call('PATCH', '/v1/keymgmt/echo/a', { headers, body: {} });
    expect(answer).toMatchObject({ status, json: { errors: [message] } });
  });

  test.each(['application/merge-patch+json', 'Application/Merge-Patch+JSON; charset=utf-8'])(
    'of type %s are read',
    async (type) => {
      const answer = await harness.call('PATCH', '/v1/keymgmt/echo/a', {
        headers: { 'content-type': type },
        body: '{',
      });
      expect(answer).toMatchObject({ status: 400, json: { errors: [expect.stringContaining('JSON')] } });
    },
  );
});

describe('warnings', () => {
  const ignored = 'Endpoint ignored these unrecognized parameters: [other zulu]';
  const replaced =
    "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [name]";

  test('come with an answer that has data', async () => {
    const body = { zulu: 1, name: 'b', other: 2, text: 'a' };
    const { json } = await harness.call('PUT', '/v1/keymgmt/echo/a', { body });
    expect(json.warnings).toEqual([ignored, replaced]);
    expect(json.data).toMatchObject({ fields: { text: 'a' }, parameters: { name: 'a' } });
    const read = await harness.call('GET', '/v1/keymgmt/echo/a?other=1&zulu=1&name=b');
    expect(read.json.warnings).toEqual([ignored, replaced]);
  });

  test('come with an answer that has warnings of its own, which is a 200', async () => {
    const answer = await harness.call('PUT', '/v1/keymgmt/key/a', { body: { type: 'odd', other: 1 } });
    expect(answer).toMatchObject({ status: 200, json: { data: null } });
    expect(answer.json.warnings).toEqual(['an odd type', 'Endpoint ignored these unrecognized parameters: [other]']);
  });

  test('do not make a 204 a 200', async () => {
    const answer = await harness.call('PUT', '/v1/keymgmt/key/a', { body: { type: 'even', other: 1, name: 'b' } });
    expect(answer.status).toBe(204);
    expect(answer).not.toHaveProperty('body');
  });
});

test('a field of the wrong type is refused by name', async () => {
  const answer = await harness.call('PUT', '/v1/keymgmt/echo/a', { body: { count: 'sesame' } });
  const errors = [
    'Field validation failed: error converting input for field "count": expected an integer, got a string',
  ];
  expect(answer).toMatchObject({ status: 400, json: { errors } });
});

test('the host hands bodies over as the tests do', () => {
  expect(hostRequest('PUT', '/v1/a', { body: '' }).body).toBeNull();
  expect(hostRequest('PUT', '/v1/a', { body: {} }).headers.get('Content-Length')).toBe('2');
});
