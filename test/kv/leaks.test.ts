import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { KeyfleetError } from '../../src/errors.ts';
import { summariseError } from '../../src/vault-api/log.ts';
import type { Table } from '../../src/state/table.ts';
import { createEngineHarness, mergePatchType } from './support/engine.ts';

/* What is secret is in the reply that is meant to carry it, and nowhere else. */

const secret = 'hunter2-correct-horse';
const marks = [secret, Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('hex')];
const hides = (what: unknown) => {
  const text = typeof what === 'string' ? what : inspect(what, { depth: 20, maxStringLength: Infinity });
  return marks.every((mark) => !text.includes(mark));
};

/** How a table may fail, with an error that quotes all that it was given. */
const failures: [string, (given: unknown[]) => Error][] = [
  [
    'unavailable',
    (given) => new KeyfleetError('unavailable', 'no answer', { cause: new Error(inspect(given, { depth: 9 })) }),
  ],
  ['odd', (given) => new Error(inspect(given, { depth: 9, maxStringLength: Infinity }) + secret)],
];

const requests: [string, string, unknown?][] = [
  ['PUT', 'data/a', { data: { password: secret } }],
  ['PUT', 'data/a', { data: { password: secret }, options: { cas: 99 } }],
  ['PUT', 'data/a', { data: { password: secret }, options: { cas: secret } }],
  ['PUT', 'data/a', { data: secret }],
  ['PUT', 'data/a', { data: [secret], options: secret }],
  ['PUT', 'data/a', `{"data":{"password":"${secret}"`],
  ['PUT', 'data/a', { data: { password: secret.repeat(40_000) } }],
  ['PUT', 'data/new', { data: { password: secret } }],
  ['PATCH', 'data/a', { data: { password: secret } }],
  ['PATCH', 'data/a', { data: secret }],
  ['POST', 'delete/a', { versions: [secret] }],
  ['POST', 'destroy/a', { versions: { [secret]: 1 } }],
  ['POST', 'undelete/a', { versions: secret }],
  ['POST', 'metadata/a', { custom_metadata: { k: [secret] } }],
  ['POST', 'metadata/a', { custom_metadata: { k: `${secret}\n` } }],
  ['POST', 'metadata/a', { max_versions: secret, cas_required: secret, delete_version_after: secret }],
  ['POST', 'config', { max_versions: secret }],
  ['POST', 'config', { delete_version_after: secret }],
  ['DELETE', 'data/a'],
  ['DELETE', 'metadata/a'],
  ['GET', 'metadata/a'],
  ['GET', 'subkeys/a'],
  ['LIST', 'metadata'],
];

test.each([['nothing', undefined] as const, ...failures])('while %s fails', async (_name, failure) => {
  let failing = false;
  const wrap = (table: Table): Table =>
    new Proxy(table, {
      get(target, property: keyof Table) {
        const method = target[property] as (...given: unknown[]) => Promise<unknown>;
        return async (...given: unknown[]): Promise<unknown> => {
          if (failing && failure !== undefined) throw failure(given);
          return method.apply(target, given);
        };
      },
    });
  const engine = await createEngineHarness({ wrap });
  expect(await engine.call('PUT', 'data/a', { data: { password: secret } })).toMatchObject({ status: 200 });
  const read = await engine.call('GET', 'data/a');
  expect(hides(read), 'the reply that is meant to carry it').toBe(false);

  failing = true;
  for (const [method, path, body] of requests) {
    const answer = await engine.call(method, path, body, method === 'PATCH' ? mergePatchType : {});
    expect(hides(answer), `${method} ${path} answers ${inspect(answer)}`).toBe(true);
  }
  expect(hides(engine.log)).toBe(true);
  if (failure !== undefined) {
    expect(engine.log.length).toBeGreaterThan(5);
    const error: unknown = await engine.house.sweep().catch((reason: unknown) => reason);
    expect(hides(summariseError(error))).toBe(true);
  }
});

test('a stored value that is damaged is not quoted', async () => {
  const engine = await createEngineHarness({
    wrap: (table, name) => ({
      ...table,
      async get(partition, row) {
        const found = await table.get(partition, row);
        const sealed = found?.properties.current0;
        if (name !== 'secrets' || found === undefined || !(sealed instanceof Uint8Array)) return found;
        const bytes = Uint8Array.from(sealed);
        bytes[40] = (bytes[40] ?? 0) ^ 1;
        return { ...found, properties: { ...found.properties, current0: bytes } };
      },
    }),
  });
  await engine.call('PUT', 'data/a', { data: { password: secret } });
  const answer = await engine.call('GET', 'data/a');
  expect(answer).toMatchObject({ status: 500, body: { errors: [expect.stringContaining('damaged')] } });
  expect(hides(answer) && hides(engine.log)).toBe(true);
  // Of the write too, which looks once more whether there is what it has listed.
  expect(engine.log).toHaveLength(2);
});
