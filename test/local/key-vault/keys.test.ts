import { generatePrimeSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adminAccess, keyClient, premiumVault, startVaults, tenantId } from './support/start.ts';
import { curveNames, ecKey, jwkOf, rsaKey, sdkJwkOf } from './support/jwk.ts';
import { raw, refusalOf, refusalOfCall, versioned, type RawAnswer } from './support/raw.ts';

let vaults: Awaited<ReturnType<typeof startVaults>>;
let uri: string;
let serial = 0;
const fresh = () => `key-${++serial}`;

beforeAll(async () => {
  vaults = await startVaults({
    vaults: [premiumVault, { name: 'standard-vault', sku: 'standard', tenantId, access: adminAccess }],
  });
  ({ uri } = vaults.addressOf('premium-vault'));
});
afterAll(async () => vaults.stop());

const post = (path: string, body?: unknown) => raw(uri, 'POST', versioned(path), body);
const get = (path: string) => raw(uri, 'GET', versioned(path));
const create = (name: string, body: object = { kty: 'EC' }) => post(`/keys/${name}/create`, body);
const importJwk = (name: string, key: unknown, rest: object = {}) =>
  raw(uri, 'PUT', versioned(`/keys/${name}`), { key, attributes: {}, ...rest });
const kidOf = (answer: RawAnswer) => answer.body.key?.kid ?? '';

describe('create', () => {
  const rsaOps = ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'];
  test.each([
    ['RSA with its defaults', { kty: 'RSA', attributes: {} }, { kty: 'RSA', key_ops: rsaOps, e: 'AQAB' }, 2048, '0'],
    ['RSA of 3072 bits', { kty: 'RSA', key_size: 3072 }, { kty: 'RSA' }, 3072, '0'],
    ['RSA in hardware', { kty: 'RSA-HSM', key_size: 2048 }, { kty: 'RSA-HSM', e: 'AQAB' }, 2048, '2'],
    ['a key exchange key', { kty: 'RSA-HSM', key_ops: ['import'] }, { key_ops: ['import'] }, 2048, '2'],
    ['EC with its defaults', { kty: 'EC' }, { kty: 'EC', key_ops: ['sign', 'verify'], crv: 'P-256' }, undefined, '0'],
    ['EC in hardware', { kty: 'EC-HSM', crv: 'P-384' }, { kty: 'EC-HSM', crv: 'P-384' }, undefined, '2'],
    ...curveNames.map((crv): [string, object, object, undefined, string] => [
      `EC on ${crv}`,
      { kty: 'EC', crv },
      { kty: 'EC', crv },
      undefined,
      '0',
    ]),
  ])('%s', async (_, body, key, size, hsmPlatform) => {
    const answer = await create(fresh(), body);
    expect(answer.status).toBe(200);
    expect(answer.body.key).toMatchObject(key);
    expect(answer.body.attributes?.hsmPlatform).toBe(hsmPlatform);
    expect(answer.body.attributes?.key_size).toBe(size);
    if (size !== undefined) expect(Buffer.from(answer.body.key?.n ?? '', 'base64url')).toHaveLength(size / 8);
  });

  test('answers in the order of properties that the service has, times in seconds', async () => {
    const before = Math.floor(Date.now() / 1000);
    const answer = await create('Ordered', {
      kty: 'RSA',
      attributes: { nbf: 2208992461, exp: 2524611661 },
      tags: { key: 'value' },
    });
    expect(Object.keys(answer.body)).toEqual(['key', 'attributes', 'tags']);
    expect(Object.keys(answer.body.key ?? {})).toEqual(['kid', 'kty', 'key_ops', 'n', 'e']);
    const { created, ...attributes } = answer.body.attributes ?? {};
    expect(created).toBeGreaterThanOrEqual(before);
    expect(created).toBeLessThanOrEqual(before + 10);
    expect(JSON.stringify(attributes)).toBe(
      JSON.stringify({
        enabled: true,
        nbf: 2208992461,
        exp: 2524611661,
        key_size: 2048,
        updated: created,
        recoveryLevel: 'CustomizedRecoverable+Purgeable',
        recoverableDays: 7,
        exportable: false,
        hsmPlatform: '0',
      }),
    );
    expect(answer.body.key?.kid).toMatch(new RegExp(`^${uri}/keys/Ordered/[0-9a-f]{32}$`));
  });

  test('tags are absent when none were set', async () => {
    for (const tags of [{}, { tags: {} }]) {
      expect(Object.keys((await create(fresh(), { kty: 'EC', ...tags })).body)).toEqual(['key', 'attributes']);
    }
  });

  test('makes a new version under a name that exists, in any case, and ids keep the case of the first', async () => {
    const name = `Mixed-${fresh()}`;
    const first = await create(name);
    const second = await create(name.toLowerCase());
    expect(kidOf(second)).not.toBe(kidOf(first));
    expect(kidOf(second)).toContain(`/keys/${name}/`);
    expect(kidOf(await get(`/keys/${name.toUpperCase()}`))).toBe(kidOf(second));
    const list = await get(`/keys/${name}/versions`);
    expect(list.body.value).toHaveLength(2);
  });

  test.each([
    ['without a type', {}],
    ['of an unknown type', { kty: 'DSA' }],
    ['of type oct', { kty: 'oct' }],
    ['of type oct-HSM', { kty: 'oct-HSM' }],
    ['of an odd size', { kty: 'RSA', key_size: 1024 }],
    ['of a size for a curve', { kty: 'EC', key_size: 256 }],
    ['on an unknown curve', { kty: 'EC', crv: 'P-224' }],
    ['RSA on a curve', { kty: 'RSA', crv: 'P-256' }],
    ['with operations of another type', { kty: 'EC', key_ops: ['sign', 'encrypt'] }],
    ['with an unknown operation', { kty: 'RSA', key_ops: ['fly'] }],
    ['with import beside another operation', { kty: 'RSA-HSM', key_ops: ['import', 'sign'] }],
    ['with more than 15 tags', { kty: 'EC', tags: Object.fromEntries([...Array(16).keys()].map((n) => [n, ''])) }],
    ['with a tag name of 257 characters', { kty: 'EC', tags: { ['n'.repeat(257)]: '' } }],
    ['with a tag value of 257 characters', { kty: 'EC', tags: { n: 'v'.repeat(257) } }],
    ['with a tag that is no text', { kty: 'EC', tags: { n: 1 } }],
    ['with enabled that is no boolean', { kty: 'EC', attributes: { enabled: 'yes' } }],
    ['with a time that is no integer', { kty: 'EC', attributes: { exp: '2030-01-01' } }],
  ])('refuses a key %s', async (_, body) => {
    const name = fresh();
    expect(refusalOf(await create(name, body))).toEqual([400, 'BadParameter']);
    expect(refusalOf(await get(`/keys/${name}`))).toEqual([404, 'KeyNotFound']);
  });

  test('a refusal of operations lists the wrong and the possible ones', async () => {
    const answer = await create(fresh(), { kty: 'EC', key_ops: ['sign', 'encrypt'] });
    expect(answer.body.error?.message).toMatch(/\[encrypt\].*\[sign, verify\]/);
  });

  test.each([{ attributes: { exportable: true } }, { release_policy: { data: 'e30' } }])(
    'says that it has no %j',
    async (body) => {
      expect(refusalOf(await create(fresh(), { kty: 'RSA-HSM', ...body }))).toEqual([501, 'NotImplemented']);
    },
  );

  test.each(['RSA-HSM', 'EC-HSM'])('the standard SKU refuses %s', async (kty) => {
    const answer = await raw(vaults.addressOf('standard-vault').uri, 'POST', versioned('/keys/hard/create'), { kty });
    expect(refusalOf(answer)).toEqual([400, 'BadParameter']);
  });

  test('15 tags of 256 characters each way are taken', async () => {
    const tags = Object.fromEntries([...Array(15).keys()].map((n) => [`${n}`.padEnd(256, 'n'), 'v'.repeat(256)]));
    expect((await create(fresh(), { kty: 'EC', tags })).body.tags).toEqual(tags);
  });

  test('a date after 2038 reaches the vault negative through the SDK, and is kept as it came', async () => {
    const name = fresh();
    await keyClient(uri).createKey(name, 'EC', { expiresOn: new Date('2040-01-01T00:00:00Z') });
    expect((await get(`/keys/${name}`)).body.attributes?.exp).toBe(-2085978496);
  });
});

describe('import of a JWK', () => {
  const rsa = rsaKey();
  const ec = ecKey();

  test('RSA through the SDK', async () => {
    const name = fresh();
    const key = await keyClient(uri).importKey(name, { ...sdkJwkOf(rsa), keyOps: ['sign'] });
    expect(key.keyType).toBe('RSA');
    expect(Buffer.from(key.key?.n ?? []).toString('base64url')).toBe(jwkOf(rsa).n);
    const wire = await get(`/keys/${name}`);
    expect(Object.keys(wire.body.key ?? {})).toEqual(['kid', 'kty', 'key_ops', 'n', 'e']);
    expect(wire.body.key?.key_ops).toEqual(['sign']);
  });

  test.each(curveNames)('EC on %s', async (crv) => {
    const jwk = jwkOf(ecKey(crv));
    const answer = await importJwk(fresh(), jwk);
    expect(answer.body.key).toMatchObject({ kty: 'EC', crv, x: jwk.x, y: jwk.y, key_ops: ['sign', 'verify'] });
  });

  test('with Hsm it becomes a hardware key, on premium only', async () => {
    const answer = await importJwk(fresh(), jwkOf(rsa), { Hsm: true });
    expect(answer.body.key?.kty).toBe('RSA-HSM');
    expect(answer.body.attributes?.hsmPlatform).toBe('2');
    const standard = vaults.addressOf('standard-vault').uri;
    const refused = await raw(standard, 'PUT', versioned('/keys/hard'), { Hsm: true, key: jwkOf(rsa), attributes: {} });
    expect(refusalOf(refused)).toEqual([400, 'BadParameter']);
  });

  test('a leading zero byte in n is dropped', async () => {
    const n = Buffer.concat([Buffer.of(0), Buffer.from(jwkOf(rsa).n ?? '', 'base64url')]).toString('base64url');
    expect((await importJwk(fresh(), { ...jwkOf(rsa), n })).body.key?.n).toBe(jwkOf(rsa).n);
  });

  test('is not idempotent: each makes a version', async () => {
    const name = fresh();
    const first = await importJwk(name, jwkOf(ec));
    const second = await importJwk(name, jwkOf(ec));
    expect(kidOf(first)).not.toBe(kidOf(second));
  });

  const other = rsaKey();
  test.each([
    ['nothing', undefined],
    ['text', 'key'],
    ['no type', {}],
    ['a public key', { kty: 'RSA', n: jwkOf(rsa).n, e: 'AQAB' }],
    ['a key without its primes', { ...jwkOf(rsa), p: undefined, q: undefined }],
    ['the n of another key', { ...jwkOf(rsa), n: jwkOf(other).n }],
    ['the d of another key', { ...jwkOf(rsa), d: jwkOf(other).d }],
    ['the dq of another key', { ...jwkOf(rsa), dq: jwkOf(other).dq }],
    ['the qi of another key', { ...jwkOf(rsa), qi: jwkOf(other).qi }],
    ['factors that are no primes, though every equation holds', compositeJwk()],
    ['a toy key', { kty: 'RSA', n: 'AA8', e: 'Aw', d: 'Aw', p: 'BQ', q: 'Aw', dp: 'Aw', dq: 'AQ', qi: 'Ag' }],
    ['an RSA key that is called EC', { ...jwkOf(rsa), kty: 'EC' }],
    ['an RSA key too small', jwkOf(rsaKey(1024))],
    ['an unknown curve', { ...jwkOf(ec), crv: 'P-192' }],
    ['the x of another point', { ...jwkOf(ec), x: jwkOf(ecKey()).x }],
    ['the d of another point', { ...jwkOf(ec), d: jwkOf(ecKey()).d }],
    ['a d of zero', { ...jwkOf(ec), d: Buffer.alloc(32).toString('base64url') }],
    ['a curve that the point is not on', { ...jwkOf(ec), crv: 'P-256K' }],
    ['a d that is too short', { ...jwkOf(ec), d: 'AQ' }],
    ['bytes that are not base64url', { ...jwkOf(ec), x: '++//' }],
    ['an octet key', { kty: 'oct', k: 'AAAA' }],
  ])('refuses %s', async (_, key) => {
    const name = fresh();
    expect(refusalOf(await importJwk(name, key))).toEqual([400, 'BadParameter']);
    expect(refusalOf(await get(`/keys/${name}`))).toEqual([404, 'KeyNotFound']);
  });
});

describe('get and update', () => {
  test('an older version is still there under its own id', async () => {
    const name = fresh();
    const first = await keyClient(uri).createKey(name, 'EC');
    await create(name);
    const found = await keyClient(uri).getKey(name, { version: first.properties.version ?? '' });
    expect(found.id).toBe(first.id);
  });

  test.each([
    ['a name', '/keys/absent'],
    ['a version', '/keys/here/00000000000000000000000000000000'],
    ['a version that is none', '/keys/here/create'],
  ])('%s that is not there is 404 and named in the text', async (_, path) => {
    await create('here');
    const answer = await get(path);
    expect(refusalOf(answer)).toEqual([404, 'KeyNotFound']);
    expect(answer.body.error?.message).toContain(path.slice('/keys/'.length));
  });

  test('update keeps what is absent, replaces what is present, and moves updated only', async () => {
    const name = fresh();
    const created = await create(name, { kty: 'EC', tags: { a: '1', b: '2' }, attributes: { exp: 2524611661 } });
    vaults.clock.advance(5000);
    const disabled = await raw(uri, 'PATCH', versioned(`/keys/${name}/`), { attributes: { enabled: false } });
    expect(kidOf(disabled)).toBe(kidOf(created));
    expect(disabled.body.tags).toEqual({ a: '1', b: '2' });
    expect(disabled.body.attributes).toMatchObject({ enabled: false, exp: 2524611661 });
    expect(disabled.body.attributes?.created).toBe(created.body.attributes?.created);
    expect(disabled.body.attributes?.updated).toBeGreaterThanOrEqual((created.body.attributes?.updated ?? 0) + 5);
    const narrowed = await raw(uri, 'PATCH', versioned(`/keys/${name}`), { key_ops: ['verify'], tags: { c: '3' } });
    expect(narrowed.body.key?.key_ops).toEqual(['verify']);
    expect(narrowed.body.tags).toEqual({ c: '3' });
    expect(narrowed.body.attributes?.enabled).toBe(false);
    const cleared = await raw(uri, 'PATCH', versioned(`/keys/${name}`), { tags: {} });
    expect(cleared.body).not.toHaveProperty('tags');
  });

  test('update of an older version leaves the newest alone', async () => {
    const name = fresh();
    const first = await create(name);
    const second = await create(name);
    await keyClient(uri).updateKeyProperties(name, kidOf(first).split('/').at(-1) ?? '', { enabled: false });
    expect((await get(`/keys/${name}`)).body).toEqual(second.body);
  });

  test.each([
    ['operations of another type', { key_ops: ['encrypt'] }],
    ['a tag that is no text', { tags: { a: 1 } }],
    ['a time that is no integer', { attributes: { nbf: 1.5 } }],
  ])('update refuses %s and changes nothing', async (_, body) => {
    const name = fresh();
    const created = await create(name);
    const refused = await raw(uri, 'PATCH', versioned(`/keys/${name}`), { attributes: { enabled: false }, ...body });
    expect(refused.status).toBe(400);
    const after = await get(`/keys/${name}`);
    expect(after.body.attributes?.updated).toBe(created.body.attributes?.updated);
  });

  test('get, list and update work on a disabled key', async () => {
    const name = fresh();
    await create(name, { kty: 'EC', attributes: { enabled: false } });
    expect((await get(`/keys/${name}`)).body.attributes?.enabled).toBe(false);
    expect((await raw(uri, 'PATCH', versioned(`/keys/${name}`), { attributes: { enabled: true } })).status).toBe(200);
  });

  test('the SDK shows the codes of a refusal', async () => {
    const client = keyClient(uri);
    const name = fresh();
    await client.createKey(name, 'EC');
    await client.beginDeleteKey(name);
    expect(await refusalOfCall(client.createKey(name, 'EC'))).toEqual([409, 'Conflict', 'ObjectIsBeingDeleted']);
    expect(await refusalOfCall(client.getKey(name))).toEqual([404, 'KeyNotFound']);
  });
});

test.each([
  ['POST', '/keys/here//release', { target: 'x' }],
  ['GET', '/keys/here//attestation', undefined],
  ['POST', '/rng', { count: 8 }],
])('%s %s is refused: a vault like this does not offer it', async (method, path, body) => {
  await create('here');
  expect(refusalOf(await raw(uri, method, versioned(path), body))).toEqual([400, 'BadParameter']);
});

/** An "RSA key" of 2048 bits, one of whose factors is a product of two primes. */
function compositeJwk(): object {
  const prime = (bits: number) => generatePrimeSync(bits, { bigint: true });
  const topHeavy = (bits: number, make: () => bigint): bigint => {
    for (;;) {
      const value = make();
      if (value >> BigInt(bits - 2) === 3n && value % 65537n !== 1n) return value;
    }
  };
  const p = topHeavy(1024, () => prime(512) * prime(512));
  const q = topHeavy(1024, () => prime(1024));
  const order = (p - 1n) * (q - 1n);
  const d = inverse(65537n, order);
  const text = (value: bigint) => {
    const hex = value.toString(16);
    return Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex').toString('base64url');
  };
  return {
    kty: 'RSA',
    n: text(p * q),
    e: 'AQAB',
    d: text(d),
    p: text(p),
    q: text(q),
    dp: text(d % (p - 1n)),
    dq: text(d % (q - 1n)),
    qi: text(inverse(q, p)),
  };
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [remainder, next, coefficient, nextCoefficient] = [modulus, value % modulus, 0n, 1n];
  while (next !== 0n) {
    const quotient = remainder / next;
    [remainder, next] = [next, remainder - quotient * next];
    [coefficient, nextCoefficient] = [nextCoefficient, coefficient - quotient * nextCoefficient];
  }
  return ((coefficient % modulus) + modulus) % modulus;
}
