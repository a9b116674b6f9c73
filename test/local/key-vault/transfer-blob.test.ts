import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto';
import { CryptographyClient } from '@azure/keyvault-keys';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCredential, keyClient, premiumVault, startVaults } from './support/start.ts';
import { curveNames, ecKey, jwkOf, rsaKey, type Curve } from './support/jwk.ts';
import { raw, refusalOf, versioned, type WireBody } from './support/raw.ts';
import { transferBlob, wrapBytes, type TransferBlob } from './support/transfer.ts';

let vaults: Awaited<ReturnType<typeof startVaults>>;
let uri: string;
let serial = 0;
const fresh = () => `target-${++serial}`;

const sizes = [2048, 3072, 4096];
const exchangeKeys = new Map<number, WireBody['key']>();
const exchangeKey = () => exchangeKeys.get(2048);
const targets: [string, KeyObject, object][] = [
  ...sizes.map((bits): [string, KeyObject, object] => [`RSA-${bits}`, rsaKey(bits), { kty: 'RSA-HSM' }]),
  ...curveNames.map((crv: Curve): [string, KeyObject, object] => [crv, ecKey(crv), { kty: 'EC-HSM', crv }]),
];
const rsa = targets[0]?.[1] as KeyObject;
const ec = ecKey('P-256');

const create = async (name: string, body: object, vault = 'premium-vault') =>
  (await raw(vaults.addressOf(vault).uri, 'POST', versioned(`/keys/${name}/create`), body)).body.key;
const importBlob = (blob: Buffer, jwk: object = { kty: 'RSA-HSM' }, encoding: 'base64' | 'base64url' = 'base64url') =>
  raw(uri, 'PUT', versioned(`/keys/${fresh()}`), { key: { ...jwk, key_hsm: blob.toString(encoding) }, attributes: {} });

beforeAll(async () => {
  vaults = await startVaults({ vaults: [premiumVault, { ...premiumVault, name: 'other-vault' }] });
  ({ uri } = vaults.addressOf('premium-vault'));
  for (const bits of sizes) {
    const key = await create(`kek-${bits}`, { kty: 'RSA-HSM', key_size: bits, key_ops: ['import'] });
    exchangeKeys.set(bits, key);
  }
});
afterAll(async () => vaults.stop());

test.each(sizes.flatMap((bits) => targets.map(([name, key, jwk]) => [bits, name, key, jwk] as const)))(
  'with a key exchange key of %d bits, %s arrives',
  async (bits, _, key, jwk) => {
    const answer = await importBlob(transferBlob(exchangeKeys.get(bits), key), jwk);
    expect(answer.status).toBe(200);
    const { n, e, x, y } = jwkOf(key);
    expect(answer.body.key).toMatchObject({ ...jwk, ...(n === undefined ? { x, y } : { n, e }) });
    expect(answer.body.attributes).toMatchObject({ enabled: true, hsmPlatform: '2' });
    expect(answer.body.key).not.toHaveProperty('key_hsm');
  },
);

test('through the SDK, and the key that arrived signs', async () => {
  const t = transferBlob(exchangeKey(), rsa);
  const imported = await keyClient(uri).importKey(
    fresh(),
    { kty: 'RSA-HSM', keyOps: ['sign'], t },
    { hardwareProtected: true },
  );
  expect(imported.keyOperations).toEqual(['sign']);
  const digest = createHash('sha256').update('data').digest();
  const { result } = await new CryptographyClient(imported, createCredential('admin')).sign('RS256', digest);
  expect(verify('sha256', Buffer.from('data'), createPublicKey(rsa), result)).toBe(true);
});

test('base64 with padding, plus and slash is taken too', async () => {
  // A generator name full of these makes sure that the two encodings differ.
  const blob = transferBlob(exchangeKey(), rsa, (plain) => ({ ...plain, generator: '>>>???~~~' }));
  expect(blob.toString('base64')).toMatch(/[+/]/);
  expect((await importBlob(blob, { kty: 'RSA-HSM' }, 'base64')).status).toBe(200);
});

test.each([
  ['RSA', () => rsa, { kty: 'RSA' }],
  ['EC', () => ec, { kty: 'EC', crv: 'P-256' }],
])('the software type %s is taken as a target', async (kty, key, jwk) => {
  const answer = await importBlob(transferBlob(exchangeKey(), key()), jwk);
  expect(answer.body.key?.kty).toBe(kty);
  expect(answer.body.attributes?.hsmPlatform).toBe('0');
});

test('the kid may name the vault by either of its addresses', async () => {
  const byOwnPort = (exchangeKey()?.kid ?? '').replace(uri, vaults.addressOf('premium-vault').url);
  const blob = transferBlob(exchangeKey(), rsa, (plain) => ({ ...plain, header: { ...plain.header, kid: byOwnPort } }));
  expect((await importBlob(blob)).status).toBe(200);
});

describe('a blob is refused', () => {
  const withHeader = (header: object) => (blob: TransferBlob) => ({ ...blob, header: { ...blob.header, ...header } });
  const withCiphertext = (change: (bytes: Buffer) => Buffer) => (blob: TransferBlob) => ({
    ...blob,
    ciphertext: change(Buffer.from(blob.ciphertext, 'base64url')).toString('base64url'),
  });
  const flip = (index: number) => (bytes: Buffer) => {
    const at = index < 0 ? bytes.length + index : index;
    return Buffer.from(bytes.map((byte, position) => (position === at ? byte ^ 1 : byte)));
  };

  test.each<[string, (blob: TransferBlob) => unknown]>([
    ['of another schema version', (blob) => ({ ...blob, schema_version: '2.0.0' })],
    ['without a schema version', (blob) => ({ ...blob, schema_version: undefined })],
    ['of another alg', withHeader({ alg: 'RSA-OAEP' })],
    ['of another enc', withHeader({ enc: 'A256KW' })],
    ['without a header', (blob) => ({ ...blob, header: undefined })],
    ['whose kid is no URL', withHeader({ kid: 'kek' })],
    ['without ciphertext', (blob) => ({ ...blob, ciphertext: '' })],
    ['with ciphertext that is not base64url', (blob) => ({ ...blob, ciphertext: '****' })],
    ['that is an array', (blob) => [blob]],
    ['with a byte changed in the wrapped AES key', withCiphertext(flip(3))],
    ['with a byte changed in the wrapped key', withCiphertext(flip(-3))],
    ['truncated by a byte', withCiphertext((bytes) => bytes.subarray(0, -1))],
    ['truncated by a block', withCiphertext((bytes) => bytes.subarray(0, -8))],
    ['truncated to the AES key', withCiphertext((bytes) => bytes.subarray(0, 256))],
    ['with bytes behind', withCiphertext((bytes) => Buffer.concat([bytes, Buffer.alloc(8)]))],
    [
      'wrapped with OAEP of SHA-256',
      (blob) => ({
        ...blob,
        ciphertext: wrapBytes(exchangeKey(), rsa.export({ type: 'pkcs8', format: 'der' }), 'sha256').toString(
          'base64url',
        ),
      }),
    ],
    [
      'wrapped for another key exchange key of the vault',
      (blob) => ({ ...blob, header: { ...blob.header, kid: exchangeKeys.get(3072)?.kid } }),
    ],
  ])('%s', async (_, change) => {
    expect(refusalOf(await importBlob(transferBlob(exchangeKey(), rsa, change)))).toEqual([400, 'BadParameter']);
  });

  test.each([
    ['that is not base64', '***'],
    ['that is not JSON', Buffer.from('{"schema').toString('base64url')],
    ['that is empty', ''],
  ])('%s', async (_, encoded) => {
    const answer = await raw(uri, 'PUT', versioned(`/keys/${fresh()}`), { key: { kty: 'RSA-HSM', key_hsm: encoded } });
    expect(refusalOf(answer)).toEqual([400, 'BadParameter']);
  });

  test.each([
    ['that holds PKCS#1', () => rsa.export({ type: 'pkcs1', format: 'der' }), { kty: 'RSA-HSM' }],
    ['that holds a public key', () => createPublicKey(rsa).export({ type: 'spki', format: 'der' }), { kty: 'RSA-HSM' }],
    ['that holds noise', () => Buffer.alloc(100, 7), { kty: 'RSA-HSM' }],
    ['that holds an RSA key too small', () => rsaKey(1024), { kty: 'RSA-HSM' }],
    ['that holds EC for RSA', () => ec, { kty: 'RSA-HSM' }],
    ['that holds RSA for EC', () => rsa, { kty: 'EC-HSM', crv: 'P-256' }],
    ['that holds another curve', () => ec, { kty: 'EC-HSM', crv: 'P-384' }],
    ['for EC without a curve', () => ec, { kty: 'EC-HSM' }],
    ['for RSA with a curve', () => rsa, { kty: 'RSA-HSM', crv: 'P-256' }],
    ['for an octet key', () => rsa, { kty: 'oct-HSM' }],
  ])('%s', async (_, target, jwk) => {
    expect(refusalOf(await importBlob(transferBlob(exchangeKey(), target()), jwk))).toEqual([400, 'BadParameter']);
  });

  test.each([
    ['a software key', { kty: 'RSA', key_ops: ['import'] }],
    ['a key with other operations', { kty: 'RSA-HSM', key_ops: ['decrypt', 'unwrapKey'] }],
    ['a key with the default operations', { kty: 'RSA-HSM' }],
  ])('when it was wrapped for %s', async (_, body) => {
    const key = await create(fresh(), body);
    expect(refusalOf(await importBlob(transferBlob(key, rsa)))).toEqual([400, 'BadParameter']);
  });

  test('when its key exchange key is in another vault', async () => {
    const key = await create('kek', { kty: 'RSA-HSM', key_ops: ['import'] }, 'other-vault');
    expect(refusalOf(await importBlob(transferBlob(key, rsa)))).toEqual([400, 'BadParameter']);
  });

  test('when its kid has no version', async () => {
    const kid = (exchangeKey()?.kid ?? '').replace(/\/[0-9a-f]+$/, '');
    const answer = await importBlob(transferBlob(exchangeKey(), rsa, withHeader({ kid })));
    expect(refusalOf(answer)).toEqual([400, 'BadParameter']);
  });

  test('when its key exchange key is not there, or no longer', async () => {
    const absentVersion = (exchangeKey()?.kid ?? '').replace(/[0-9a-f]{32}$/, '0'.repeat(32));
    const answer = await importBlob(transferBlob(exchangeKey(), rsa, withHeader({ kid: absentVersion })));
    expect(refusalOf(answer)).toEqual([404, 'KeyNotFound']);
    const deleted = await create('leaving', { kty: 'RSA-HSM', key_ops: ['import'] });
    await raw(uri, 'DELETE', versioned('/keys/leaving'));
    expect(refusalOf(await importBlob(transferBlob(deleted, rsa)))).toEqual([404, 'KeyNotFound']);
  });

  test('when its key exchange key is disabled', async () => {
    const key = await create('off', { kty: 'RSA-HSM', key_ops: ['import'], attributes: { enabled: false } });
    expect(refusalOf(await importBlob(transferBlob(key, rsa)))).toEqual([403, 'Forbidden', 'KeyDisabled']);
  });

  test('and nothing was imported', async () => {
    const name = fresh();
    const key_hsm = transferBlob(exchangeKey(), rsa, withCiphertext(flip(3))).toString('base64url');
    await raw(uri, 'PUT', versioned(`/keys/${name}`), { key: { kty: 'RSA-HSM', key_hsm } });
    expect((await raw(uri, 'GET', versioned(`/keys/${name}`))).status).toBe(404);
  });
});

test('an older version of a key exchange key still takes what was wrapped for it', async () => {
  const older = await create('renewed', { kty: 'RSA-HSM', key_ops: ['import'] });
  await create('renewed', { kty: 'RSA-HSM', key_ops: ['import'] });
  expect((await importBlob(transferBlob(older, rsa))).status).toBe(200);
});
