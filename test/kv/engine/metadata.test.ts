import { beforeEach, describe, expect, test } from 'vitest';
import {
  createEngineHarness,
  done,
  mergePatchType,
  nothing,
  notFoundWithoutBody,
  refused,
  said,
  type EngineHarness,
} from '../support/engine.ts';

let engine: EngineHarness;

beforeEach(async () => {
  engine = await createEngineHarness();
});

const put = (path: string, data: unknown = {}) => engine.call('PUT', `data/${path}`, { data });
const write = (path: string, fields: unknown) => engine.call('POST', `metadata/${path}`, fields);
const patch = (path: string, fields: unknown) => engine.call('PATCH', `metadata/${path}`, fields, mergePatchType);
const configure = (fields: unknown) => engine.call('POST', 'config', fields);
const conversionFailed = (field: string) =>
  refused(400, expect.stringMatching(`^Field validation failed: error converting input for field "${field}": `));

describe('configuration of the engine', () => {
  const unset = { cas_required: false, delete_version_after: '0s', max_versions: 0 };

  test('can be read before it was ever written', async () => {
    expect(await engine.call('GET', 'config')).toEqual(said(unset));
  });

  test('keeps what a write does not mention, and is left alone by one without fields', async () => {
    expect(await configure({ max_versions: 3, cas_required: true, delete_version_after: '3h25m19s' })).toEqual(done);
    for (const body of [undefined, {}, 'null', { other: 1 }, { max_versions: null }]) {
      expect(await configure(body)).toEqual(done);
    }
    expect(await configure({ cas_required: 'false' })).toEqual(done);
    expect(await engine.call('GET', 'config')).toEqual(
      said({ cas_required: false, delete_version_after: '3h25m19s', max_versions: 3 }),
    );
  });

  test('takes what hvac sends', async () => {
    expect(await configure({ max_versions: 10, delete_version_after: '0s' })).toEqual(done);
    expect(await engine.data('config')).toEqual({ ...unset, max_versions: 10 });
  });

  test.each([
    [3600, '1h0m0s'],
    ['3600', '1h0m0s'],
    ['90m', '1h30m0s'],
    ['2d', '48h0m0s'],
    ['59s', '59s'],
    [61, '1m1s'],
    ['1h0m1s', '1h0m1s'],
    [0, '0s'],
    ['0s', '0s'],
    [-1, '-1s'],
    ['-5m', '-1s'],
    [9_223_372_036, '2562047h47m16s'],
  ])('has %j as a time after which versions are deleted, which is %s', async (given, shown) => {
    await configure({ delete_version_after: '7m' });
    expect(await configure({ delete_version_after: given })).toEqual(done);
    expect(await engine.data('config')).toEqual({ ...unset, delete_version_after: shown });
  });

  test.each([
    ['delete_version_after', 'soon'],
    ['delete_version_after', 9_223_372_037],
    ['delete_version_after', '1000000000h'],
    ['delete_version_after', {}],
    ['max_versions', -1],
    ['max_versions', 2001],
    ['max_versions', 'many'],
    ['max_versions', 1.5],
    ['cas_required', 'perhaps'],
  ])('refuses %s %j, and changes nothing', async (field, value) => {
    expect(await configure({ cas_required: true, [field]: value })).toEqual(conversionFailed(field));
    expect(await engine.data('config')).toEqual(unset);
  });

  test('is of one mount alone', async () => {
    await configure({ max_versions: 7 });
    await engine.api('POST', 'sys/mounts/other', { body: { type: 'kv', options: { version: '2' } } });
    expect(await engine.api('GET', 'other/config')).toEqual(said(unset));
  });
});

describe('metadata', () => {
  test('shows every version', async () => {
    const created = engine.now();
    await put('a');
    engine.pass(60);
    const updated = engine.now();
    await put('a');
    engine.pass(60);
    const deleted = engine.now();
    await engine.call('DELETE', 'data/a');
    await engine.call('POST', 'destroy/a', { versions: [1] });
    expect(await engine.call('GET', 'metadata/a')).toEqual(
      said({
        cas_required: false,
        created_time: created,
        current_version: 2,
        custom_metadata: null,
        delete_version_after: '0s',
        max_versions: 0,
        oldest_version: 0,
        updated_time: updated,
        versions: {
          1: { created_time: created, deletion_time: '', destroyed: true },
          2: { created_time: updated, deletion_time: deleted, destroyed: false },
        },
      }),
    );
  });

  test('can be there before any version, and is not undone by the first', async () => {
    const created = engine.now();
    expect(
      await write('a', {
        max_versions: 5,
        cas_required: true,
        delete_version_after: '3h',
        custom_metadata: { k: 'v' },
      }),
    ).toEqual(done);
    engine.pass(60);
    const settings = {
      cas_required: true,
      custom_metadata: { k: 'v' },
      delete_version_after: '3h0m0s',
      max_versions: 5,
      created_time: created,
    };
    expect(await engine.call('GET', 'metadata/a')).toEqual(
      said({ ...settings, current_version: 0, oldest_version: 0, updated_time: created, versions: {} }),
    );
    await engine.call('PUT', 'data/a', { data: {}, options: { cas: 0 } });
    expect(await engine.data('metadata/a')).toMatchObject({
      ...settings,
      current_version: 1,
      updated_time: engine.now(),
    });
  });

  test('keeps what a write does not mention, and is not even made by one without fields', async () => {
    for (const body of [undefined, {}, 'null', { other: 1 }]) expect(await write('a', body)).toEqual(done);
    expect(await engine.call('GET', 'metadata/a')).toEqual(nothing);
    await write('a', { max_versions: 5, custom_metadata: { k: 'v' } });
    engine.pass(60);
    await write('a', { cas_required: 'true' });
    expect(await engine.data('metadata/a')).toMatchObject({
      max_versions: 5,
      cas_required: true,
      custom_metadata: { k: 'v' },
    });
  });

  test('changes without a new version leave updated_time alone', async () => {
    await put('a');
    const { updated_time } = await engine.data('metadata/a');
    engine.pass(60);
    await write('a', { max_versions: 5 });
    await patch('a', { max_versions: 6 });
    await engine.call('DELETE', 'data/a');
    expect(await engine.data('metadata/a')).toMatchObject({ updated_time, max_versions: 6 });
  });

  test.each([
    ['max_versions', -1],
    ['max_versions', 2001],
    ['delete_version_after', '-1s'],
    ['delete_version_after', -1],
    ['delete_version_after', 'soon'],
    ['delete_version_after', 9_223_372_037],
    ['cas_required', 2],
    ['custom_metadata', 'k=v'],
    ['custom_metadata', ['k=v']],
  ])('refuses %s %j, and changes nothing', async (field, value) => {
    await put('there');
    for (const path of ['none', 'there']) {
      expect(await write(path, { cas_required: true, [field]: value })).toEqual(conversionFailed(field));
    }
    expect(await patch('there', { cas_required: true, [field]: value })).toEqual(conversionFailed(field));
    expect(await engine.data('metadata/there')).toMatchObject({ cas_required: false, max_versions: 0 });
    expect(await engine.call('GET', 'metadata/none')).toEqual(nothing);
  });

  test('warns where the engine requires check-and-set and the secret would not', async () => {
    const warning = '"cas_required" set to false, but is mandated by backend config. This value will be ignored.';
    await put('a');
    expect(await write('a', { cas_required: false })).toEqual(done);
    await configure({ cas_required: true });
    expect(await write('a', { cas_required: true })).toEqual(done);
    expect(await write('a', { cas_required: false })).toEqual(said(null, [warning]));
    expect(await patch('a', { cas_required: false })).toEqual(said(null, [warning]));
    expect(await write('new', { cas_required: 'false', odd: 1 })).toEqual(
      said(null, [warning, 'Endpoint ignored these unrecognized parameters: [odd]']),
    );
    expect(await put('a')).toEqual(refused(400, 'check-and-set parameter required for this call'));
  });

  test('goes with everything, and comes back empty', async () => {
    await put('a', { x: 1 });
    await write('a', { custom_metadata: { k: 'v' }, max_versions: 3 });
    expect(await engine.call('DELETE', 'metadata/a')).toEqual(done);
    for (const path of ['data/a', 'data/a?version=1', 'metadata/a', 'subkeys/a']) {
      expect(await engine.call('GET', path)).toEqual(nothing);
    }
    expect(await engine.call('LIST', 'metadata')).toEqual(nothing);
    expect(await engine.call('POST', 'undelete/a', { versions: [1] })).toEqual(done);
    expect(await engine.call('GET', 'data/a')).toEqual(nothing);
    engine.pass(60);
    await put('a', { x: 2 });
    expect(await engine.data('metadata/a')).toMatchObject({
      created_time: engine.now(),
      current_version: 1,
      custom_metadata: null,
      max_versions: 0,
    });
    expect((await engine.data('data/a')).data).toEqual({ x: 2 });
  });
});

describe('a patch of metadata', () => {
  test('needs metadata', async () => {
    expect(await patch('none', { max_versions: 1 })).toEqual(notFoundWithoutBody);
    expect(await engine.call('GET', 'metadata/none')).toEqual(nothing);
  });

  test('merges', async () => {
    await write('a', { max_versions: 5, custom_metadata: { a: '1', b: '2' }, delete_version_after: 60 });
    expect(await patch('a', { custom_metadata: { b: null, c: '3', none: null }, delete_version_after: '0s' })).toEqual(
      done,
    );
    expect(await engine.data('metadata/a')).toMatchObject({
      custom_metadata: { a: '1', c: '3' },
      delete_version_after: '0s',
      max_versions: 5,
    });
    expect(await patch('a', {})).toEqual(done);
    expect(await patch('a', { custom_metadata: { a: null, c: null } })).toEqual(done);
    expect(await engine.data('metadata/a')).toMatchObject({ custom_metadata: null, max_versions: 5 });
  });

  test('has a type', async () => {
    await put('a');
    expect(
      await engine.call('PATCH', 'metadata/a', { max_versions: 1 }, { 'content-type': 'application/json' }),
    ).toEqual(refused(415, 'PATCH requires Content-Type of application/merge-patch+json, provided application/json'));
  });
});

describe('custom metadata', () => {
  const tooMany = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, 'v']));

  test('is replaced by a write, and none is null', async () => {
    await write('a', { custom_metadata: { a: '1', b: '2' } });
    await write('a', { custom_metadata: { c: '3' } });
    expect(await engine.data('metadata/a')).toMatchObject({ custom_metadata: { c: '3' } });
    await write('a', { custom_metadata: {} });
    expect(await engine.data('metadata/a')).toMatchObject({ custom_metadata: null });
  });

  test('is text, whatever was sent', async () => {
    const sent = '{"custom_metadata":{"n":7,"f":1.50,"e":1e3,"big":12345678901234567890,"t":true,"u":false,"s":"x"}}';
    expect(await write('a', sent)).toEqual(done);
    expect(await engine.data('metadata/a')).toMatchObject({
      custom_metadata: { n: '7', f: '1.50', e: '1e3', big: '12345678901234567890', t: '1', u: '0', s: 'x' },
    });
    expect(await patch('a', '{"custom_metadata":{"f":2.50}}')).toEqual(done);
    expect(await engine.data('metadata/a')).toMatchObject({ custom_metadata: { f: '2.50', n: '7' } });
  });

  test.each([
    ['65 keys', tooMany],
    ['an empty key', { '': 'v' }],
    ['an empty value', { k: '' }],
    ['too long a key', { ['k'.repeat(129)]: 'v' }],
    ['too long a value', { k: 'v'.repeat(513) }],
    ['what cannot be printed', { k: 'a\nb' }],
    ['a list', { k: ['v'] }],
    ['a map', { k: {} }],
  ])('is refused with %s, and nothing changes', async (_name, custom) => {
    await write('there', { custom_metadata: { was: 'there' } });
    const refusal = refused(400, expect.stringMatching(/^custom_metadata validation failed: /));
    expect(await write('none', { custom_metadata: custom, max_versions: 9 })).toEqual(refusal);
    expect(await engine.call('GET', 'metadata/none')).toEqual(nothing);
    expect(await write('there', { custom_metadata: custom, max_versions: 9 })).toEqual(refusal);
    expect(await patch('there', { custom_metadata: custom, max_versions: 9 })).toEqual(refusal);
    expect(await engine.data('metadata/there')).toMatchObject({ custom_metadata: { was: 'there' }, max_versions: 0 });
  });

  test('cannot be null in a write', async () => {
    expect(await write('a', { custom_metadata: { k: null } })).toEqual(
      refused(400, expect.stringMatching(/^custom_metadata validation failed: /)),
    );
  });

  test('has its limit with what was there before', async () => {
    const most = Object.fromEntries(Object.entries(tooMany).slice(1));
    expect(await write('a', { custom_metadata: most })).toEqual(done);
    expect(await patch('a', { custom_metadata: { one: 'more' } })).toEqual(
      refused(400, expect.stringMatching(/^custom_metadata validation failed: .*64/)),
    );
    expect(await patch('a', { custom_metadata: { k1: null, one: 'more' } })).toEqual(done);
  });
});

describe('how many versions are kept', () => {
  const kept = async (path: string) => Object.keys((await engine.data(`metadata/${path}`)).versions as object);
  const putTimes = async (path: string, count: number) => {
    for (let made = 0; made < count; made++) await put(path, { made });
  };

  test('is ten, unless somebody says otherwise', async () => {
    await putTimes('a', 9);
    expect(await engine.data('metadata/a')).toMatchObject({ oldest_version: 0 });
    await putTimes('a', 1);
    expect(await engine.data('metadata/a')).toMatchObject({ oldest_version: 1 });
    await putTimes('a', 2);
    expect(await engine.data('metadata/a')).toMatchObject({ oldest_version: 3, current_version: 12 });
    expect(await kept('a')).toEqual(['3', '4', '5', '6', '7', '8', '9', '10', '11', '12']);
    expect(await engine.call('GET', 'data/a?version=2')).toEqual(nothing);
    expect((await engine.data('data/a?version=3')).data).toEqual({ made: 2 });
  });

  test('is the larger of what the secret and the engine say', async () => {
    await configure({ max_versions: 3 });
    await putTimes('a', 5);
    expect(await kept('a')).toEqual(['3', '4', '5']);
    await write('a', { max_versions: 2 });
    await putTimes('a', 1);
    expect(await kept('a')).toEqual(['4', '5', '6']);
    await write('a', { max_versions: 4 });
    await putTimes('a', 2);
    expect(await kept('a')).toEqual(['5', '6', '7', '8']);
  });

  test('changes with the next version only', async () => {
    await putTimes('a', 5);
    await write('a', { max_versions: 2 });
    expect(await kept('a')).toHaveLength(5);
    await patch('a', { max_versions: 2 });
    await engine.call('PATCH', 'data/a', { data: {} }, mergePatchType);
    expect(await kept('a')).toEqual(['5', '6']);
  });
});

describe('versions that end by themselves', () => {
  const later = (seconds: number) => new Date(Date.parse(engine.now()) + seconds * 1000).toISOString();

  test('have an end from the start, and can be read until then', async () => {
    await configure({ delete_version_after: '1h' });
    const end = later(3600);
    expect(await put('a', { x: 1 })).toMatchObject({ body: { data: { deletion_time: end } } });
    engine.pass(3599.999);
    expect((await engine.data('data/a')).metadata).toMatchObject({ deletion_time: end });
    engine.pass(0.001);
    expect(await engine.call('GET', 'data/a')).toMatchObject({
      status: 404,
      body: { data: { data: null, metadata: { deletion_time: end, destroyed: false } } },
    });
    expect(await engine.call('PATCH', 'data/a', { data: {} }, mergePatchType)).toMatchObject({ status: 404 });
    await engine.call('DELETE', 'data/a');
    expect((await engine.data('metadata/a')).versions).toMatchObject({ 1: { deletion_time: end } });
  });

  test.each([
    { engineSays: '0s', secretSays: '0s', after: undefined },
    { engineSays: '1h', secretSays: '0s', after: 3600 },
    { engineSays: '0s', secretSays: '10m', after: 600 },
    { engineSays: '1h', secretSays: '10m', after: 600 },
    { engineSays: '1h', secretSays: '2h', after: 3600 },
    { engineSays: '-1s', secretSays: '10m', after: undefined },
  ])('after $after s where the engine says $engineSays and the secret $secretSays', async (given) => {
    await configure({ delete_version_after: given.engineSays });
    await write('a', { delete_version_after: given.secretSays });
    const end = given.after === undefined ? '' : later(given.after);
    expect(await put('a')).toMatchObject({ body: { data: { deletion_time: end } } });
    const patched = await engine.call('PATCH', 'data/a', { data: {} }, mergePatchType);
    expect(patched).toMatchObject({ body: { data: { deletion_time: end } } });
  });

  test('begin their time anew when they are brought back', async () => {
    await put('a', { x: 1 });
    await write('a', { delete_version_after: '10m' });
    await put('a', { x: 2 });
    engine.pass(700);
    expect(await engine.call('GET', 'data/a')).toMatchObject({ status: 404 });
    await engine.call('POST', 'undelete/a', { versions: [1, 2] });
    expect((await engine.data('data/a')).metadata).toMatchObject({ deletion_time: later(600) });
    expect((await engine.data('metadata/a')).versions).toMatchObject({ 1: { deletion_time: later(600) } });
    await write('a', { delete_version_after: 0 });
    await engine.call('POST', 'undelete/a', { versions: [2] });
    expect((await engine.data('data/a')).metadata).toMatchObject({ deletion_time: '' });
  });
});
