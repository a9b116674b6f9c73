import { beforeEach, describe, expect, test } from 'vitest';
import { type ErrorCode, KeyfleetError } from '../../src/errors.ts';
import { renderUnavailable } from '../../src/vault-api/errors.ts';
import { createHarness, type Harness, hostRequest, rootToken, sampleMount } from './support/harness.ts';
import { createMemoryMountStore } from './support/memory-stores.ts';
import { createSampleEngine, type SampleEngine } from './support/sample-engine.ts';

const internal = { errors: ['1 error occurred:\n\t* internal error\n\n'] };

let harness: Harness;
let engine: SampleEngine;

beforeEach(async () => {
  engine = createSampleEngine();
  harness = await createHarness({ engines: [engine], mounts: createMemoryMountStore([sampleMount()]) });
});

const statuses: [ErrorCode, number][] = [
  ['invalid_request', 400],
  ['conflict', 400],
  ['upstream_refused', 400],
  ['permission_denied', 403],
  ['not_found', 404],
  ['unsupported_operation', 405],
  ['unavailable', 503],
];

describe('what an engine refuses with', () => {
  test.each(statuses)('%s is a %i with its message', async (code, status) => {
    engine.failure = new KeyfleetError(code, 'key "a" is no more');
    const answer = await harness.call('PUT', '/v1/keymgmt/failing');
    expect(answer).toMatchObject({ status, json: { errors: ['key "a" is no more'] } });
    expect(answer.headers).toEqual({ 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  });

  test.each(['GET', 'LIST'])(
    'nothing found by %s has no message: clients read it as "nothing there"',
    async (method) => {
      engine.failure = new KeyfleetError('not_found', 'there is no key "a"');
      expect(await harness.call(method, '/v1/keymgmt/failing')).toMatchObject({ status: 404, json: { errors: [] } });
    },
  );

  test('our own failures keep the shape of Vault', async () => {
    engine.failure = new KeyfleetError('internal', 'the table is damaged');
    const answer = await harness.call('PUT', '/v1/keymgmt/failing');
    expect(answer).toMatchObject({
      status: 500,
      json: { errors: ['1 error occurred:\n\t* the table is damaged\n\n'] },
    });
  });
});

describe('what nobody expected', () => {
  const secret = 'correct horse battery staple';
  const withCode = Object.assign(new TypeError(`cannot use ${secret}`), { code: 'ERR_SOMETHING' });
  const talkative = Object.assign(new Error('x'), { code: `failed with ${secret}` });

  test.each<[string, unknown]>([
    ['an error', withCode],
    ['an error caused by another', new Error(secret, { cause: withCode })],
    ['an error whose code is a sentence', talkative],
    ['null', null],
    ['undefined that was thrown', undefined],
    ['a string', secret],
    ['an object', { status: 404, message: secret }],
  ])('%s is a 500 that tells nothing', async (_what, failure) => {
    engine.failure = failure;
    const answer = await harness.call('PUT', '/v1/keymgmt/failing', { body: { password: secret } });
    expect(answer).toMatchObject({ status: 500, json: internal });
    expect(harness.log).toHaveLength(1);
    expect(harness.log[0]).toMatchObject({ level: 'error', message: 'request failed', method: 'PUT', status: 500 });
    expect(JSON.stringify(harness.log)).not.toMatch(/horse|hvs\./);
  });

  test('an answer that JSON cannot hold is a 500', async () => {
    expect(await harness.call('GET', '/v1/keymgmt/unprintable')).toMatchObject({ status: 500, json: internal });
  });

  test('headers that cannot be read are a 500', async () => {
    const get = () => {
      throw new Error('no');
    };
    const response = await harness.api.handle({ ...hostRequest('GET', '/v1/sys/mounts'), headers: { get } });
    expect(response.status).toBe(500);
  });
});

describe('what operators are told', () => {
  test('where an error came from, without its words', async () => {
    const cause = Object.assign(new TypeError('words'), { code: 'ERR_SOMETHING' });
    engine.failure = new KeyfleetError('upstream_refused', 'the vault refused', { cause });
    const { json } = await harness.call('PUT', '/v1/keymgmt/failing');
    expect(json.errors).toEqual(['the vault refused']);
    expect(harness.log).toEqual([
      {
        level: 'warning',
        message: 'request refused',
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        method: 'PUT',
        status: 400,
        errors: [
          {
            name: 'KeyfleetError',
            message: 'the vault refused',
            code: 'upstream_refused',
            stack: expect.anything() as string[],
          },
          {
            name: 'TypeError',
            code: 'ERR_SOMETHING',
            stack: expect.arrayContaining([expect.stringMatching(/^at .*errors\.test\.ts/)]) as string[],
          },
        ],
      },
    ]);
  });

  test('nothing of what a caller can mend alone', async () => {
    for (const code of ['invalid_request', 'conflict', 'permission_denied'] as const) {
      engine.failure = new KeyfleetError(code, 'no');
      await harness.call('PUT', '/v1/keymgmt/failing');
    }
    await harness.call('GET', '/v1/keymgmt/nope');
    await harness.call('GET', '/v1/sys/mounts', { token: 'hvs.none' });
    expect(harness.log).toEqual([]);
  });

  test('a chain of causes without an end is cut', async () => {
    const endless = new Error('x');
    endless.cause = endless;
    engine.failure = endless;
    await harness.call('PUT', '/v1/keymgmt/failing');
    expect(harness.log[0]?.errors).toHaveLength(5);
  });

  test('a log that fails takes no answer with it', async () => {
    Object.defineProperty(harness.log, 'push', {
      value: () => {
        throw new Error('disk full');
      },
    });
    engine.failure = new Error('x');
    expect(await harness.call('PUT', '/v1/keymgmt/failing')).toMatchObject({ status: 500, json: internal });
  });
});

test('a service that cannot start says so', () => {
  expect(renderUnavailable('KEYFLEET_HOME_VAULT is not set')).toEqual({
    status: 503,
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' },
    body: '{"errors":["KEYFLEET_HOME_VAULT is not set"]}',
  });
});

test('a store that cannot be read fails closed', async () => {
  const failing = new KeyfleetError('unavailable', 'the tables cannot be reached');
  const mounts = { ...harness.mounts, read: () => Promise.reject(failing) };
  const other = await createHarness({ engines: [engine], mounts });
  for (const path of ['/v1/keymgmt/key/a', '/v1/sys/mounts', '/v1/sys/internal/ui/mounts/keymgmt']) {
    const answer = await other.call('GET', path, { token: rootToken });
    expect(answer).toMatchObject({ status: 503, json: { errors: ['the tables cannot be reached'] } });
  }
});
