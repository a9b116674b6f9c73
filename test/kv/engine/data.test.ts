import { beforeEach, describe, expect, test } from 'vitest';
import {
  createEngineHarness,
  done,
  gone,
  mergePatchType,
  nothing,
  notFoundWithoutBody,
  refused,
  said,
  version,
  type EngineHarness,
} from '../support/engine.ts';

let engine: EngineHarness;

beforeEach(async () => {
  engine = await createEngineHarness();
});

const put = (path: string, data: unknown, options?: unknown) =>
  engine.call('PUT', `data/${path}`, { data, ...(options !== undefined && { options }) });
const patch = (path: string, data: unknown, options?: unknown) =>
  engine.call('PATCH', `data/${path}`, { data, ...(options !== undefined && { options }) }, mergePatchType);

describe.each(['secret', 'team/a/secrets', 'kv.v2_x-y'])('a mount at %s/', (mountPath) => {
  test.each(['PUT', 'POST'])('writes by %s, reads, deletes and lists', async (verb) => {
    const mounted = await createEngineHarness({ mountPath });
    const created = mounted.now();
    expect(await mounted.call(verb, 'data/a/b', { data: { x: '1' } })).toEqual(said(version(1, created)));
    expect(await mounted.call('GET', 'data/a/b')).toEqual(said({ data: { x: '1' }, metadata: version(1, created) }));
    expect(await mounted.call('LIST', 'metadata')).toEqual(said({ keys: ['a/'] }));
    expect(await mounted.call('LIST', 'metadata/a')).toEqual(said({ keys: ['b'] }));
    expect(await mounted.call('DELETE', 'data/a/b')).toEqual(done);
    expect(await mounted.call(verb, 'undelete/a/b', { versions: [1] })).toEqual(done);
    expect(await mounted.call(verb, 'delete/a/b', { versions: [1] })).toEqual(done);
    expect(await mounted.call(verb, 'destroy/a/b', { versions: [1] })).toEqual(done);
    expect(await mounted.call(verb, 'metadata/a/b', { max_versions: 1 })).toEqual(done);
    expect(await mounted.call(verb, 'config', { max_versions: 1 })).toEqual(done);
    expect(await mounted.call('DELETE', 'metadata/a/b')).toEqual(done);
    expect(await mounted.call('LIST', 'metadata')).toEqual(nothing);
  });
});

describe('reading', () => {
  test('finds nothing where nothing ever was', async () => {
    for (const path of ['data/none', 'data/none?version=1', 'subkeys/none', 'metadata/none']) {
      expect(await engine.call('GET', path)).toEqual(nothing);
    }
  });

  test('finds the current version, or the one that is asked for', async () => {
    const times: string[] = [];
    for (const value of ['one', 'two', 'three']) {
      times.push(engine.now());
      await put('a', { value });
      engine.pass(1);
    }
    const reading = (number: number, value: string) =>
      said({ data: { value }, metadata: version(number, times[number - 1] ?? '') });
    for (const query of ['', '?version=0', '?version=3', '?version=-1']) {
      expect(await engine.call('GET', `data/a${query}`)).toEqual(reading(3, 'three'));
    }
    expect(await engine.call('GET', 'data/a?version=1')).toEqual(reading(1, 'one'));
    expect(await engine.call('GET', 'data/a?version=2')).toEqual(reading(2, 'two'));
    expect(await engine.call('GET', 'data/a?version=4')).toEqual(nothing);
    expect(await engine.call('GET', 'data/a?version=x')).toEqual(
      refused(
        400,
        'Field validation failed: error converting input for field "version": expected an integer, got a string',
      ),
    );
  });

  test('says of a deleted version what is known of it, with a 404', async () => {
    const created = engine.now();
    await put('a', { value: 1 });
    engine.pass(5);
    const deleted = engine.now();
    expect(await engine.call('DELETE', 'data/a')).toEqual(done);
    const metadata = version(1, created, { deletion_time: deleted });
    expect(await engine.call('GET', 'data/a')).toEqual(gone({ data: null, metadata }));
    expect(await engine.call('GET', 'data/a?version=1')).toEqual(gone({ data: null, metadata }));
    expect(await engine.call('GET', 'subkeys/a')).toEqual(gone({ subkeys: null, metadata }));
  });

  test('says the same of a destroyed version, whether it was deleted before or not', async () => {
    const created = engine.now();
    await put('a', { value: 1 });
    await put('a', { value: 2 });
    await engine.call('DELETE', 'data/a');
    await engine.call('POST', 'destroy/a', { versions: [1, 2] });
    expect(await engine.call('GET', 'data/a?version=1')).toEqual(
      gone({ data: null, metadata: version(1, created, { destroyed: true }) }),
    );
    expect(await engine.call('GET', 'data/a')).toEqual(
      gone({ data: null, metadata: version(2, created, { destroyed: true, deletion_time: created }) }),
    );
  });

  test('finds nothing where there is only metadata', async () => {
    await engine.call('POST', 'metadata/a', { max_versions: 3 });
    for (const path of ['data/a', 'data/a?version=1', 'subkeys/a']) {
      expect(await engine.call('GET', path)).toEqual(nothing);
    }
  });

  test('shows custom metadata with every version, and null where there is none', async () => {
    await put('a', {});
    expect((await engine.data('data/a')).metadata).toHaveProperty('custom_metadata', null);
    await engine.call('POST', 'metadata/a', { custom_metadata: { team: 'blue' } });
    expect((await engine.data('data/a')).metadata).toHaveProperty('custom_metadata', { team: 'blue' });
    const { body } = await put('a', {});
    expect(body).toHaveProperty('data.custom_metadata', { team: 'blue' });
  });

  test('gives values back to the letter', async () => {
    const text =
      '{"big":12345678901234567890,"f":1.0,"e":1e5,"z":-0,"t":"ü🔑\\u0000","n":{"a":[null,true]},"__proto__":1}';
    await engine.call('POST', 'data/a', `{"data":${text}}`);
    const { status } = await engine.call('GET', 'data/a');
    expect(status).toBe(200);
    const reading = await engine.house.secrets.read(await referenceOf('a'), 0);
    expect(JSON.stringify(reading.kind === 'present' && reading.data)).toBe(text);
  });

  async function referenceOf(path: string) {
    const { body } = await engine.api('GET', 'sys/mounts/secret');
    return { mount: (body as { data: { uuid: string } }).data.uuid, path };
  }
});

describe('writing', () => {
  test('answers with the new version', async () => {
    expect(await put('a', { x: 1 })).toEqual(said(version(1, engine.now())));
    engine.pass(60);
    expect(await put('a', { x: 2 })).toEqual(said(version(2, engine.now())));
  });

  test('takes an empty secret', async () => {
    expect(await put('a', {})).toEqual(said(version(1, engine.now())));
    expect((await engine.data('data/a')).data).toEqual({});
  });

  test.each([
    ['no body', undefined, 'no data provided'],
    ['null', 'null', 'no data provided'],
    ['no data', { options: {} }, 'no data provided'],
    ['null for data', { data: null }, 'no data provided'],
    ['no data, and an odd check-and-set', { options: { cas: 'x' } }, 'no data provided'],
    ['text for data', { data: 'x' }, expect.stringMatching(/^Field validation failed: .*"data"/)],
    ['a list for data', { data: [] }, expect.stringMatching(/^Field validation failed: .*"data"/)],
    ['a number for data', { data: 1.0 }, expect.stringMatching(/^Field validation failed: .*"data"/)],
    [
      'text for options',
      { data: {}, options: 'cas=1' },
      expect.stringMatching(/^Field validation failed: .*"options"/),
    ],
  ])('refuses %s', async (_name, body, message) => {
    expect(await engine.call('POST', 'data/a', body)).toEqual(refused(400, message));
    expect(await engine.call('GET', 'metadata/a')).toEqual(nothing);
  });

  test('warns of fields it does not know, which is how Terraform sends check-and-set', async () => {
    const body = { data: { x: '1' }, cas: 7, options: { cas: '0' } };
    expect(await engine.call('PUT', 'data/a', body)).toEqual(
      said(version(1, engine.now()), ['Endpoint ignored these unrecognized parameters: [cas]']),
    );
  });
});

describe('check-and-set', () => {
  const mismatch = refused(400, 'check-and-set parameter did not match the current version');
  const unreadable = refused(400, 'error parsing check-and-set parameter');
  const required = refused(400, 'check-and-set parameter required for this call');

  test.each([0, '0', ' 0 ', '+0'])('%j creates, and only creates', async (cas) => {
    expect(await put('a', {}, { cas })).toMatchObject({ status: 200 });
    expect(await put('a', {}, { cas })).toEqual(mismatch);
    expect(await engine.data('metadata/a')).toMatchObject({ current_version: 1 });
  });

  test.each([1, '1', '01'])('%j goes on from version 1, and from no other', async (cas) => {
    expect(await put('a', {}, { cas })).toEqual(mismatch);
    await put('a', {});
    expect(await put('a', {}, { cas })).toMatchObject({ status: 200, body: { data: { version: 2 } } });
    expect(await put('a', {}, { cas })).toEqual(mismatch);
  });

  test.each(['', 'x', '1.5', 1.5, null, [], {}, true, '0x1', '99999999999999999999', -0.5])(
    '%j is no number',
    async (cas) => {
      expect(await put('a', {}, { cas })).toEqual(unreadable);
      expect(await engine.call('GET', 'metadata/a')).toEqual(nothing);
    },
  );

  test('of a number that is too large is no number', async () => {
    expect(await engine.call('PUT', 'data/a', '{"data":{},"options":{"cas":99999999999999999999}}')).toEqual(
      unreadable,
    );
    expect(await put('a', {}, { cas: -1 })).toEqual(mismatch);
  });

  test('counts deleted and destroyed versions, and metadata alone as none', async () => {
    await engine.call('POST', 'metadata/a', { cas_required: false });
    expect(await put('a', {}, { cas: 0 })).toMatchObject({ status: 200 });
    await engine.call('DELETE', 'data/a');
    expect(await put('a', {}, { cas: 0 })).toEqual(mismatch);
    expect(await put('a', {}, { cas: 1 })).toMatchObject({ status: 200 });
    await engine.call('POST', 'destroy/a', { versions: [2] });
    expect(await put('a', {}, { cas: 0 })).toEqual(mismatch);
    expect(await put('a', {}, { cas: 2 })).toMatchObject({ status: 200 });
  });

  test('begins at 0 again when everything was deleted', async () => {
    await put('a', {});
    await put('a', {});
    await engine.call('DELETE', 'metadata/a');
    expect(await put('a', {}, { cas: 2 })).toEqual(mismatch);
    expect(await put('a', {}, { cas: 0 })).toEqual(said(version(1, engine.now())));
  });

  test.each([
    ['the engine', 'config'],
    ['the secret', 'metadata/a'],
  ])('may be required by %s', async (_name, path) => {
    await engine.call('POST', path, { cas_required: true });
    expect(await put('a', {})).toEqual(required);
    expect(await put('a', {}, {})).toEqual(required);
    expect(await put('a', {}, { cas: 0 })).toMatchObject({ status: 200 });
    expect(await patch('a', {})).toEqual(required);
    expect(await patch('a', {}, { cas: 1 })).toMatchObject({ status: 200 });
  });
});

describe('patching', () => {
  test('merges into the current version and makes a new one', async () => {
    await put('a', { x: 1, n: { a: 1, b: 2 } });
    engine.pass(1);
    expect(await patch('a', { x: null, y: 2, n: { b: null, c: { d: null, e: 1 } } })).toEqual(
      said(version(2, engine.now())),
    );
    expect((await engine.data('data/a')).data).toEqual({ y: 2, n: { a: 1, c: { e: 1 } } });
    expect((await engine.data('data/a?version=1')).data).toEqual({ x: 1, n: { a: 1, b: 2 } });
  });

  test('needs something to patch', async () => {
    expect(await patch('none', { x: 1 })).toEqual(notFoundWithoutBody);
    await engine.call('POST', 'metadata/only', { max_versions: 1 });
    expect(await patch('only', { x: 1 })).toEqual(notFoundWithoutBody);
    expect(await patch('only', { x: 1 }, { cas: 5 })).toEqual(notFoundWithoutBody);
  });

  test('says of a version that is gone what is known of it', async () => {
    const created = engine.now();
    await put('deleted', {});
    await engine.call('DELETE', 'data/deleted');
    expect(await patch('deleted', { x: 1 })).toEqual(gone(version(1, created, { deletion_time: created })));
    await put('destroyed', {});
    await engine.call('POST', 'destroy/destroyed', { versions: [1] });
    expect(await patch('destroyed', { x: 1 })).toEqual(gone(version(1, created, { destroyed: true })));
  });

  test('checks the version first, even where there is nothing to patch any more', async () => {
    await put('a', { x: 1 });
    const mismatch = refused(400, 'check-and-set parameter did not match the current version');
    expect(await patch('a', { x: 2 }, { cas: 0 })).toEqual(mismatch);
    expect(await patch('a', { x: 2 }, { cas: 'x' })).toEqual(refused(400, 'error parsing check-and-set parameter'));
    expect(await patch('a', { x: 2 }, { cas: '1' })).toMatchObject({ status: 200 });
    await engine.call('DELETE', 'data/a');
    expect(await patch('a', { x: 3 }, { cas: 1 })).toEqual(mismatch);
    expect(await patch('a', { x: 3 }, { cas: 2 })).toMatchObject({ status: 404, body: { data: { version: 2 } } });
  });

  test.each([undefined, {}, { data: null }])('refuses %j', async (body) => {
    await put('a', {});
    expect(await engine.call('PATCH', 'data/a', body, mergePatchType)).toEqual(refused(400, 'no data provided'));
  });

  test.each(['application/json', 'text/plain', 'application/x-www-form-urlencoded', 'application/json-patch+json'])(
    'refuses %s',
    async (type) => {
      await put('a', {});
      expect(await engine.call('PATCH', 'data/a', { data: { x: 1 } }, { 'content-type': type })).toEqual(
        refused(415, `PATCH requires Content-Type of application/merge-patch+json, provided ${type}`),
      );
    },
  );
});

describe('deleting', () => {
  test('marks the current version, once', async () => {
    await put('a', {});
    await put('a', {});
    const deleted = engine.now();
    expect(await engine.call('DELETE', 'data/a')).toEqual(done);
    engine.pass(10);
    expect(await engine.call('DELETE', 'data/a')).toEqual(done);
    expect((await engine.data('metadata/a')).versions).toMatchObject({
      1: { deletion_time: '' },
      2: { deletion_time: deleted },
    });
  });

  test.each(['data/none', 'metadata/none'])('%s is done where nothing is', async (path) => {
    expect(await engine.call('DELETE', path)).toEqual(done);
    expect(await engine.call('GET', 'metadata/none')).toEqual(nothing);
  });

  const forms = [
    ['numbers', { versions: [1, 3] }],
    ['texts, as the CLI sends them', { versions: ['1', '3'] }],
    ['one text', { versions: '1, 3' }],
    ['some that never were', { versions: [1, 3, 0, 99, -4] }],
    ['some of them twice', { versions: [1, 1, 3] }],
  ] as const;

  test.each(forms)('marks, brings back and destroys versions given as %s', async (_name, body) => {
    for (let count = 0; count < 3; count++) await put('a', { count });
    const status = async () => {
      const { versions } = await engine.data('metadata/a');
      return Object.values(versions as Record<string, { deletion_time: string; destroyed: boolean }>).map(
        ({ deletion_time, destroyed }) => (destroyed ? 'destroyed' : deletion_time === '' ? 'there' : 'deleted'),
      );
    };
    expect(await engine.call('POST', 'delete/a', body)).toEqual(done);
    expect(await status()).toEqual(['deleted', 'there', 'deleted']);
    expect(await engine.call('PUT', 'undelete/a', body)).toEqual(done);
    expect(await status()).toEqual(['there', 'there', 'there']);
    expect((await engine.data('data/a?version=1')).data).toEqual({ count: 0 });
    expect(await engine.call('PUT', 'destroy/a', body)).toEqual(done);
    expect(await status()).toEqual(['destroyed', 'there', 'destroyed']);
    expect(await engine.call('PUT', 'undelete/a', body)).toEqual(done);
    expect(await status()).toEqual(['destroyed', 'there', 'destroyed']);
  });

  test.each(['delete', 'undelete', 'destroy'])('%s is done where nothing is', async (name) => {
    expect(await engine.call('POST', `${name}/none`, { versions: [1] })).toEqual(done);
    expect(await engine.call('GET', 'metadata/none')).toEqual(nothing);
  });

  test.each([
    ['delete', 'No version number provided'],
    ['undelete', 'No version number provided'],
    ['destroy', 'no version number provided'],
  ])('%s needs version numbers', async (name, message) => {
    for (const body of [undefined, {}, 'null', { versions: [] }, { versions: '' }, { versions: null }]) {
      expect(await engine.call('POST', `${name}/a`, body)).toEqual(refused(400, message));
    }
    for (const versions of [['x'], '1,,2', [1.5], [{}], 'latest']) {
      expect(await engine.call('POST', `${name}/a`, { versions })).toEqual(
        refused(400, expect.stringMatching(/^Field validation failed: error converting input for field "versions"/)),
      );
    }
  });

  test.each(['delete', 'undelete', 'destroy'])('%s takes nothing but a write', async (name) => {
    for (const verb of ['GET', 'DELETE']) {
      expect(await engine.call(verb, `${name}/a`)).toEqual(
        refused(405, '1 error occurred:\n\t* unsupported operation\n\n'),
      );
    }
  });
});

describe('the shape of a secret', () => {
  test('is what is left without values', async () => {
    const created = engine.now();
    await put('a', { x: 'secret', n: { a: ['secret'], b: { c: 'secret' }, e: {} } });
    await put('a', { y: 1 });
    const shape = (subkeys: unknown, number: number) => said({ subkeys, metadata: version(number, created) });
    expect(await engine.call('GET', 'subkeys/a')).toEqual(shape({ y: null }, 2));
    const all = { x: null, n: { a: null, b: { c: null }, e: null } };
    expect(await engine.call('GET', 'subkeys/a?version=1')).toEqual(shape(all, 1));
    expect(await engine.call('GET', 'subkeys/a?version=1&depth=0')).toEqual(shape(all, 1));
    expect(await engine.call('GET', 'subkeys/a?version=1&depth=1')).toEqual(shape({ x: null, n: null }, 1));
    expect(await engine.call('GET', 'subkeys/a?version=1&depth=2')).toEqual(
      shape({ x: null, n: { a: null, b: null, e: null } }, 1),
    );
    expect(await engine.call('GET', 'subkeys/a?version=3')).toEqual(nothing);
  });
});
