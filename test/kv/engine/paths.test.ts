import { beforeEach, describe, expect, test } from 'vitest';
import {
  createEngineHarness,
  done,
  gone,
  mergePatchType,
  nothing,
  refused,
  said,
  type EngineHarness,
} from '../support/engine.ts';

let engine: EngineHarness;

beforeEach(async () => {
  engine = await createEngineHarness();
});

const put = (path: string, data: unknown = {}) => engine.call('PUT', `data/${path}`, { data });

describe('lists', () => {
  test.each([
    ['LIST', ''],
    ['GET', '?list=true'],
    ['GET', '?list=1'],
    ['GET', '?list=True'],
  ])('by %s%s, with and without a slash at the end', async (verb, query) => {
    for (const path of ['b', 'a/x', 'a/y/z', 'a', 'C']) await put(path);
    for (const slash of ['', '/']) {
      expect(await engine.call(verb, `metadata${slash}${query}`)).toEqual(said({ keys: ['C', 'a', 'a/', 'b'] }));
      expect(await engine.call(verb, `metadata/a${slash}${query}`)).toEqual(said({ keys: ['x', 'y/'] }));
      expect(await engine.call(verb, `metadata/a/y${slash}${query}`)).toEqual(said({ keys: ['z'] }));
      expect(await engine.call(verb, `metadata/b${slash}${query}`)).toEqual(nothing);
      expect(await engine.call(verb, `metadata/a/x${slash}${query}`)).toEqual(nothing);
    }
  });

  test('of an empty mount, or a folder that never was, are empty', async () => {
    expect(await engine.call('LIST', 'metadata')).toEqual(nothing);
    expect(await engine.call('LIST', 'metadata/none')).toEqual(nothing);
  });

  test('show what was deleted but not removed, and metadata alone', async () => {
    await put('deleted');
    await engine.call('DELETE', 'data/deleted');
    await put('destroyed');
    await engine.call('POST', 'destroy/destroyed', { versions: [1] });
    await engine.call('POST', 'metadata/only', { max_versions: 1 });
    expect(await engine.call('LIST', 'metadata')).toEqual(said({ keys: ['deleted', 'destroyed', 'only'] }));
  });

  test('forget folders with their last secret, and no sooner', async () => {
    for (const path of ['a/b/c/d', 'a/b/e', 'a/f']) await put(path);
    const keys = async (folder: string) => {
      const { body } = await engine.call('LIST', `metadata/${folder}`);
      return (body as { data?: { keys: string[] } }).data?.keys ?? [];
    };
    await engine.call('DELETE', 'metadata/a/b/c/d');
    expect([await keys('a/b/c'), await keys('a/b'), await keys('a'), await keys('')]).toEqual([
      [],
      ['e'],
      ['b/', 'f'],
      ['a/'],
    ]);
    await engine.call('DELETE', 'metadata/a/f');
    expect([await keys('a'), await keys('')]).toEqual([['b/'], ['a/']]);
    await engine.call('DELETE', 'metadata/a/b/e');
    expect([await keys('a/b'), await keys('a'), await keys('')]).toEqual([[], [], []]);
  });

  test('are of any depth and any script', async () => {
    const deep = Array.from({ length: 60 }, (_, index) => `f${index}`);
    await put(`${deep.join('/')}/end`);
    expect(await engine.call('LIST', `metadata/${deep.join('/')}`)).toEqual(said({ keys: ['end'] }));
    expect(await engine.call('LIST', `metadata/${deep.slice(0, 30).join('/')}`)).toEqual(said({ keys: ['f30/'] }));
    const names = ['ü', 'a b', "it's", 'x+y', 'a|b', '~', '.hidden', 'a..b', '秘密', '-', '(1)'];
    for (const name of names) await put(encodeURIComponent(`odd/${name}`).replaceAll('%2F', '/'), { name });
    expect(await engine.call('LIST', 'metadata/odd')).toEqual(said({ keys: names.toSorted() }));
    for (const name of names) {
      expect((await engine.data(`data/odd/${encodeURIComponent(name)}`)).data).toEqual({ name });
    }
  });

  test('are apart for each mount, and gone with it', async () => {
    await engine.api('POST', 'sys/mounts/other', { body: { type: 'kv-v2' } });
    await put('a/b', { of: 'secret' });
    await engine.api('POST', 'other/data/a/c', { body: { data: { of: 'other' } } });
    expect(await engine.api('LIST', 'other/metadata/a')).toEqual(said({ keys: ['c'] }));
    expect(await engine.call('LIST', 'metadata/a')).toEqual(said({ keys: ['b'] }));
    expect(await engine.api('DELETE', 'sys/mounts/secret')).toEqual(done);
    expect(await engine.api('POST', 'sys/mounts/secret', { body: { type: 'kv-v2' } })).toEqual(done);
    expect(await engine.call('LIST', 'metadata')).toEqual(nothing);
    expect(await engine.call('GET', 'data/a/b')).toEqual(nothing);
    expect(await engine.api('GET', 'other/data/a/c')).toMatchObject({ body: { data: { data: { of: 'other' } } } });
  });
});

describe('paths that are none', () => {
  const warning = (command: string) =>
    'Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. ' +
    `If using the Vault CLI, use 'vault kv ${command}' for this operation.`;
  const verbs = [
    ['GET', 'get'],
    ['PUT', 'put'],
    ['POST', 'put'],
    ['PATCH', 'patch'],
    ['DELETE', 'delete'],
    ['LIST', 'list'],
  ] as const;

  test.each(verbs)('are answered on %s with a hint to vault kv %s', async (verb, command) => {
    const body = verb === 'PUT' || verb === 'POST' || verb === 'PATCH' ? { foo: 'bar' } : undefined;
    const headers = verb === 'PATCH' ? mergePatchType : {};
    const ignored = body === undefined ? [] : ['Endpoint ignored these unrecognized parameters: [foo]'];
    for (const path of ['foo', 'foo/bar', 'config/foo', 'subkeys', 'Data/foo']) {
      expect(await engine.call(verb, path, body, headers)).toEqual(gone(null, [warning(command), ...ignored]));
    }
    expect(await engine.api(verb, 'secret', { headers, ...(body && { body }) })).toEqual(
      gone(null, [warning(command), ...ignored]),
    );
  });

  test('are lists of what is no folder, too', async () => {
    for (const path of ['data', 'data/foo', 'config', 'delete/foo', 'secret']) {
      expect(await engine.call('GET', `${path}?list=true`)).toEqual(gone(null, [warning('list')]));
    }
    expect(await engine.api('GET', 'secret/?list=true')).toEqual(gone(null, [warning('list')]));
  });

  test.each(['metadata', 'data', 'delete', 'undelete', 'destroy'])(
    '%s without a path is for lists at best',
    async (path) => {
      const refusal = ['Non-listing operations on the root of a K/V v2 mount are not supported.'];
      expect(await engine.call('GET', path)).toEqual(gone(null, refusal));
      expect(await engine.call('DELETE', path)).toEqual(gone(null, refusal));
      expect(await engine.call('PUT', path)).toEqual(gone(null, refusal));
      expect(await engine.call('POST', path, {})).toEqual(gone(null, refusal));
      expect(await engine.call('PATCH', path, {}, mergePatchType)).toEqual(gone(null, refusal));
    },
  );

  test.each([
    ['data/', 'POST'],
    ['data/a/', 'PUT'],
    ['metadata/', 'POST'],
    ['data/../config', 'POST'],
    ['data/a/../b', 'POST'],
    ['data/./a', 'GET'],
    ['data//a', 'POST'],
    ['data/a%00', 'POST'],
    ['data/a%0ab', 'GET'],
  ])('%s on %s is refused', async (path, verb) => {
    const { status } = await engine.call(verb, path, verb === 'GET' ? undefined : { data: {} });
    expect(status).toBe(400);
    expect(await engine.call('LIST', 'metadata')).toEqual(nothing);
  });

  test('may have 400 characters as the table has them, and not one more', async () => {
    const longest = `${'a'.repeat(200)}/${'b'.repeat(197)}`;
    expect(await put(longest)).toMatchObject({ status: 200 });
    expect(await engine.call('LIST', `metadata/${'a'.repeat(200)}`)).toEqual(said({ keys: ['b'.repeat(197)] }));
    expect(await engine.call('DELETE', `metadata/${longest}`)).toEqual(done);
    const tooLong = refused(400, 'path is too long: percent-encoded, slashes too, it may have 400 characters');
    for (const path of ['a'.repeat(401), 'ü'.repeat(67), `a/${'b'.repeat(397)}`]) {
      const encoded = path.split('/').map(encodeURIComponent).join('/');
      const versions = { versions: [1] };
      expect(await put(encoded)).toEqual(tooLong);
      expect(await engine.call('PATCH', `data/${encoded}`, { data: {} }, mergePatchType)).toEqual(tooLong);
      expect(await engine.call('PATCH', `metadata/${encoded}`, { max_versions: 1 }, mergePatchType)).toEqual(tooLong);
      expect(await engine.call('POST', `metadata/${encoded}`, { max_versions: 1 })).toEqual(tooLong);
      for (const name of ['delete', 'undelete', 'destroy']) {
        expect(await engine.call('POST', `${name}/${encoded}`, versions)).toEqual(tooLong);
      }
      for (const name of ['data', 'metadata']) {
        expect(await engine.call('DELETE', `${name}/${encoded}`)).toEqual(tooLong);
      }
      for (const name of ['data', 'metadata', 'subkeys']) {
        expect(await engine.call('GET', `${name}/${encoded}`)).toEqual(tooLong);
      }
      expect(await engine.call('LIST', `metadata/${encoded}`)).toEqual(tooLong);
    }
  });
});

describe('sizes', () => {
  const most = 512 * 1024;
  const value = (bytes: number) => ({ x: 'v'.repeat(bytes - '{"x":""}'.length) });

  test('a secret has up to 512 KiB as JSON', async () => {
    expect(await put('a', value(most))).toMatchObject({ status: 200 });
    expect((await engine.data('data/a')).data).toEqual(value(most));
    expect(await put('a', value(most + 1))).toEqual(
      refused(413, `data has ${most + 1} bytes as JSON where ${most} are allowed`),
    );
    expect(await engine.data('metadata/a')).toMatchObject({ current_version: 1 });
  });

  test('a patch cannot make it larger than that', async () => {
    await put('a', value(most - 100));
    const patched = await engine.call('PATCH', 'data/a', { data: { y: 'v'.repeat(200) } }, mergePatchType);
    expect(patched).toMatchObject({ status: 413, body: { errors: [expect.stringMatching(/524288/)] } });
    expect(await engine.data('metadata/a')).toMatchObject({ current_version: 1 });
  });

  test('bytes count, and not characters', async () => {
    expect(await put('a', { x: 'ü'.repeat(most / 2) })).toMatchObject({ status: 413 });
  });

  test('a request has up to 1 MiB', async () => {
    expect(await engine.call('POST', 'data/a', ' '.repeat(1024 * 1024 - 11) + '{"data":{}}')).toMatchObject({
      status: 200,
    });
    expect(await engine.call('POST', 'data/a', ' '.repeat(1024 * 1024 - 10) + '{"data":{}}')).toEqual(
      refused(413, 'request body is larger than 1048576 bytes'),
    );
  });
});

describe('the mount', () => {
  test.each([
    ['secret', 'secret/'],
    ['secret/my/app', 'secret/'],
    ['team/kv/app', 'team/kv/'],
  ])('is found by the CLI from %s', async (path, found) => {
    await engine.api('POST', 'sys/mounts/team/kv', { body: { type: 'kv', options: { version: 2 } } });
    expect(await engine.api('GET', `sys/internal/ui/mounts/${path}`)).toMatchObject({
      status: 200,
      body: {
        data: {
          path: found,
          type: 'kv',
          options: { version: '2' },
          accessor: expect.stringMatching(/^kv_/) as unknown,
        },
      },
    });
  });

  test('cannot be of version 1', async () => {
    for (const body of [{ type: 'kv' }, { type: 'kv', options: { version: '1' } }, { type: 'kv-v1' }]) {
      expect(await engine.api('POST', 'sys/mounts/old', { body })).toMatchObject({ status: 400 });
    }
  });
});
