import { expect, expectTypeOf, test } from 'vitest';
import { defineRoute } from '../../src/vault-api/engine.ts';

test('a route gives its handlers the types of its own path and fields', () => {
  const route = defineRoute({
    path: 'kms/:name/key/:key_name',
    synopsis: 'Distributes a key.',
    fields: {
      purpose: { type: 'list', description: 'What the key may be used for.' },
      protection: { type: 'string', description: 'Where the key lives.' },
    },
    async write({ parameters, fields, mount, preferAsync }) {
      expectTypeOf(parameters).toEqualTypeOf<{ readonly name: string; readonly key_name: string }>();
      expectTypeOf(fields.purpose).toEqualTypeOf<string[] | undefined>();
      expectTypeOf(fields.protection).toEqualTypeOf<string | undefined>();
      expectTypeOf(mount.path).toBeString();
      expectTypeOf(preferAsync).toBeBoolean();
      // @ts-expect-error: not a field of this route
      return { data: { unknown: fields.unknown as unknown } };
    },
  });
  expect(route.path).toBe('kms/:name/key/:key_name');
});
