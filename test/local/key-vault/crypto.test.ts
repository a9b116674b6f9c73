import {
  constants,
  createHash,
  createPublicKey,
  privateDecrypt,
  privateEncrypt,
  publicEncrypt,
  randomBytes,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { CryptographyClient, type JsonWebKey } from '@azure/keyvault-keys';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCredential, keyClient, premiumVault, principals, startVaults } from './support/start.ts';
import { ecKey, rsaKey, sdkJwkOf, type Curve } from './support/jwk.ts';
import { raw, refusalOf, refusalOfCall, versioned } from './support/raw.ts';

let vaults: Awaited<ReturnType<typeof startVaults>>;
let uri: string;

/** Imported under their names, so that the tests hold the private part too. */
const keys: Record<string, KeyObject> = {
  rsa2048: rsaKey(2048),
  rsa3072: rsaKey(3072),
  rsa4096: rsaKey(4096),
  p256: ecKey('P-256'),
  p384: ecKey('P-384'),
  p521: ecKey('P-521'),
  p256k: ecKey('P-256K' satisfies Curve),
};
const keyOf = (name: string) => keys[name] as KeyObject;

beforeAll(async () => {
  vaults = await startVaults({
    vaults: [
      {
        ...premiumVault,
        access: {
          model: 'access-policy',
          grants: {
            [principals.admin.objectId]: { keys: ['all'] },
            // Who can't get the key makes the SDK do everything in the vault.
            [principals.cryptoUser.objectId]: {
              keys: ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'],
            },
          },
        },
      },
    ],
  });
  ({ uri } = vaults.addressOf('premium-vault'));
  for (const [name, key] of Object.entries(keys)) {
    for (const hardwareProtected of [false, true]) {
      const jwk = sdkJwkOf(key) as JsonWebKey;
      await keyClient(uri).importKey(hardwareProtected ? `${name}-hsm` : name, jwk, { hardwareProtected });
    }
  }
});
afterAll(async () => vaults.stop());

const clientOf = async (name: string): Promise<CryptographyClient> => {
  const key = await keyClient(uri).getKey(name);
  return new CryptographyClient(key.id ?? '', createCredential('cryptoUser'), { retryOptions: { maxRetries: 0 } });
};
const post = (path: string, body: unknown) => raw(uri, 'POST', versioned(path), body);
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
const hashOf = (algorithm: string) =>
  ({ '256': 'sha256', '384': 'sha384', '512': 'sha512' })[algorithm.slice(2, 5)] ?? '';
const message = Buffer.from('what is signed');
const digestFor = (algorithm: string) => createHash(hashOf(algorithm)).update(message).digest();

const rsaSignatures = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const signatures: [string, string][] = [
  ...['rsa2048', 'rsa3072', 'rsa4096'].flatMap((key) => rsaSignatures.map((alg): [string, string] => [key, alg])),
  ['p256', 'ES256'],
  ['p384', 'ES384'],
  ['p521', 'ES512'],
  ['p256k', 'ES256K'],
];

/** How Node itself makes and checks a signature of this kind. */
const nodeOptions = (key: KeyObject, algorithm: string) => {
  if (algorithm.startsWith('ES')) return { key, dsaEncoding: 'ieee-p1363' as const };
  if (algorithm.startsWith('RS')) return { key, padding: constants.RSA_PKCS1_PADDING };
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
};

describe.each(
  signatures.flatMap(
    ([key, alg]) =>
      [
        [key, alg],
        [`${key}-hsm`, alg],
      ] as [string, string][],
  ),
)('%s %s', (name, algorithm) => {
  const key = keyOf(name.replace('-hsm', ''));

  test('what the vault signs, Node verifies', async () => {
    const client = await clientOf(name);
    const { result } = await client.sign(algorithm, digestFor(algorithm));
    expect(verify(hashOf(algorithm), message, nodeOptions(createPublicKey(key), algorithm), result)).toBe(true);
  });

  test('what Node signs, the vault verifies, and nothing else', async () => {
    const signature = sign(hashOf(algorithm), message, nodeOptions(key, algorithm));
    const check = async (digest: Uint8Array, value: Uint8Array) =>
      (await post(`/keys/${name}//verify`, { alg: algorithm, digest: base64(digest), value: base64(value) })).body
        .value;
    const digest = digestFor(algorithm);
    const changed = (bytes: Uint8Array) => bytes.map((byte, index) => (index === 20 ? byte ^ 1 : byte));
    expect(await check(digest, signature)).toBe(true);
    expect(await check(changed(digest), signature)).toBe(false);
    expect(await check(digest, changed(signature))).toBe(false);
    expect(await check(digest, signature.subarray(1))).toBe(false);
    expect(await check(digest, Buffer.concat([signature, Buffer.of(0)]))).toBe(false);
    expect(await check(digest, Buffer.alloc(signature.length))).toBe(false);
    expect(await check(digest, Buffer.alloc(signature.length, 0xff))).toBe(false);
  });
});

test.each(['p256', 'p384', 'p521', 'p256k'])('%s signs with a new nonce each time, and always right', async (name) => {
  const algorithm = Object.fromEntries(signatures)[name] ?? '';
  const results = new Set<string>();
  for (let round = 0; round < 25; round++) {
    const data = randomBytes(40);
    const digest = createHash(hashOf(algorithm)).update(data).digest();
    const answer = await post(`/keys/${name}//sign`, { alg: algorithm, value: base64(digest) });
    const signature = Buffer.from(answer.body.value as string, 'base64url');
    expect(verify(hashOf(algorithm), data, nodeOptions(createPublicKey(keyOf(name)), algorithm), signature)).toBe(true);
    results.add(base64(signature.subarray(0, signature.length / 2)));
  }
  expect(results.size).toBe(25);
});

test.each([Buffer.alloc(32), Buffer.alloc(32, 0xff)])('ES256 takes the extremes of digests', async (digest) => {
  const signed = await post('/keys/p256//sign', { alg: 'ES256', value: base64(digest) });
  const body = { alg: 'ES256', digest: base64(digest), value: signed.body.value };
  expect((await post('/keys/p256//verify', body)).body.value).toBe(true);
});

/** A PSS block of SHA-256 as RFC 8017 9.1.1 has it, but for what `spoil` does to its padding and trailer. */
function pssSignature(spoil: { padding?: number; trailer?: number }): Buffer {
  const hash = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
  const salt = randomBytes(32);
  const hashed = hash(Buffer.alloc(8), digestFor('PS256'), salt);
  const block = Buffer.concat([Buffer.alloc(190), Buffer.of(1), salt]);
  block[100] = spoil.padding ?? 0;
  const counter = (value: number) => Buffer.of(0, 0, 0, value);
  const mask = Buffer.concat([...Array(7).keys()].map((value) => hash(hashed, counter(value))));
  const masked = block.map((byte, index) => byte ^ (mask[index] ?? 0));
  masked[0] = (masked[0] ?? 0) & 0x7f;
  const encoded = Buffer.concat([masked, hashed, Buffer.of(spoil.trailer ?? 0xbc)]);
  return privateEncrypt({ key: keyOf('rsa2048'), padding: constants.RSA_NO_PADDING }, encoded);
}

test.each([
  ['as it should be', {}, true],
  ['with something in its padding', { padding: 1 }, false],
  ['with another trailer', { trailer: 0xbb }, false],
])('a PSS block %s', async (_, spoil, valid) => {
  const body = { alg: 'PS256', digest: base64(digestFor('PS256')), value: base64(pssSignature(spoil)) };
  expect((await post('/keys/rsa2048//verify', body)).body.value).toBe(valid);
});

test('a PSS signature with a salt of another length than the digest is none', async () => {
  const options = { ...nodeOptions(keyOf('rsa2048'), 'PS256'), saltLength: 20 };
  const body = { alg: 'PS256', digest: base64(digestFor('PS256')), value: base64(sign('sha256', message, options)) };
  expect((await post('/keys/rsa2048//verify', body)).body.value).toBe(false);
});

const paddings = {
  RSA1_5: { padding: constants.RSA_PKCS1_PADDING },
  'RSA-OAEP': { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
  'RSA-OAEP-256': { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
};
type Encryption = keyof typeof paddings;
const encryptions = (['rsa2048', 'rsa3072', 'rsa4096', 'rsa2048-hsm'] as const).flatMap((name) =>
  (Object.keys(paddings) as Encryption[]).map((algorithm): [string, Encryption] => [name, algorithm]),
);

describe.each(encryptions)('%s %s', (name, algorithm) => {
  const key = keyOf(name.replace('-hsm', ''));
  const secret = randomBytes(32);

  test('what the vault encrypts or wraps, Node decrypts', async () => {
    const client = await clientOf(name);
    const encrypted = await client.encrypt({ algorithm, plaintext: secret });
    const wrapped = await client.wrapKey(algorithm, secret);
    for (const { result } of [encrypted, wrapped]) {
      // Node can't be told to fail on bad PKCS#1 padding, but good padding it takes off.
      expect(privateDecrypt({ key, ...paddings[algorithm] }, result)).toEqual(secret);
    }
    expect(Buffer.from(encrypted.result).equals(wrapped.result)).toBe(false);
  });

  test('what Node encrypts, the vault decrypts or unwraps, and says its kid', async () => {
    const client = await clientOf(name);
    const ciphertext = publicEncrypt({ key, ...paddings[algorithm] }, secret);
    const decrypted = await client.decrypt({ algorithm, ciphertext });
    const unwrapped = await client.unwrapKey(algorithm, ciphertext);
    expect([decrypted.result, unwrapped.result].map((result) => base64(result))).toEqual([
      base64(secret),
      base64(secret),
    ]);
    const answer = await post(`/keys/${name}//decrypt`, { alg: algorithm, value: base64(ciphertext) });
    expect(answer.body.kid).toMatch(new RegExp(`^${uri}/keys/${name}/[0-9a-f]{32}$`));
  });

  test.each([
    ['another ciphertext', () => randomBytes(256)],
    ['a ciphertext too short', () => publicEncrypt({ key, ...paddings[algorithm] }, secret).subarray(1)],
    [
      'another padding',
      () => publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha512' }, secret),
    ],
    ['nothing', () => Buffer.alloc(0)],
  ])('refuses to decrypt %s', async (_, make) => {
    const answer = await post(`/keys/${name}//decrypt`, { alg: algorithm, value: base64(make()) });
    expect(refusalOf(answer)).toEqual([400, 'BadParameter']);
  });

  test('refuses to encrypt more than fits', async () => {
    const answer = await post(`/keys/${name}//encrypt`, { alg: algorithm, value: base64(Buffer.alloc(512)) });
    expect(refusalOf(answer)).toEqual([400, 'BadParameter']);
  });
});

test.each([
  ['an algorithm of another curve', 'p256', 'sign', { alg: 'ES384', value: base64(Buffer.alloc(48)) }],
  ['an algorithm of another type', 'rsa2048', 'sign', { alg: 'ES256', value: base64(Buffer.alloc(32)) }],
  ['an unknown algorithm', 'rsa2048', 'sign', { alg: 'toString', value: base64(Buffer.alloc(32)) }],
  ['the empty signature', 'rsa2048', 'sign', { alg: 'RSNULL', value: base64(Buffer.alloc(32)) }],
  ['a digest of a wrong length', 'rsa2048', 'sign', { alg: 'RS256', value: base64(Buffer.alloc(31)) }],
  ['a digest of a wrong length', 'p521', 'sign', { alg: 'ES512', value: base64(Buffer.alloc(66)) }],
  ['a digest of a wrong length', 'p256', 'verify', { alg: 'ES256', digest: 'AA', value: base64(Buffer.alloc(64)) }],
  ['a verification without digest', 'p256', 'verify', { alg: 'ES256', value: base64(Buffer.alloc(64)) }],
  ['symmetric encryption', 'rsa2048', 'encrypt', { alg: 'A256GCM', value: 'AAAA' }],
  ['bytes that are not base64url', 'rsa2048', 'encrypt', { alg: 'RSA-OAEP', value: 'a+b/' }],
  ['half a character too many', 'rsa2048', 'encrypt', { alg: 'RSA-OAEP', value: 'AAAAA' }],
  ['no algorithm', 'rsa2048', 'encrypt', { value: 'AAAA' }],
])('refuses %s (%s %s)', async (_, name, operation, body) => {
  expect(refusalOf(await post(`/keys/${name}//${operation}`, body))).toEqual([400, 'BadParameter']);
});

test('a refusal of base64url names the property', async () => {
  const answer = await post('/keys/rsa2048//encrypt', { alg: 'RSA-OAEP', value: 'a+b/' });
  expect(answer.body.error?.message).toMatch(/'value'.*base64url/);
});

describe('what a key may be used for', () => {
  const bodies: Record<string, object> = {
    encrypt: { alg: 'RSA-OAEP', value: 'AAAA' },
    decrypt: { alg: 'RSA-OAEP', value: 'AAAA' },
    wrapkey: { alg: 'RSA-OAEP', value: 'AAAA' },
    unwrapkey: { alg: 'RSA-OAEP', value: 'AAAA' },
    sign: { alg: 'RS256', value: base64(Buffer.alloc(32)) },
    verify: { alg: 'RS256', digest: base64(Buffer.alloc(32)), value: 'AAAA' },
  };
  const words: Record<string, string> = { wrapkey: 'wrapKey', unwrapkey: 'unwrapKey' };
  const names = Object.keys(bodies);
  const importAs = async (name: string, body: object) => {
    const key = Object.fromEntries(
      Object.entries(sdkJwkOf(keyOf('rsa2048'))).map(([member, value]) => [
        member,
        typeof value === 'string' ? value : base64(value),
      ]),
    );
    await raw(uri, 'PUT', versioned(`/keys/${name}`), { key, ...body });
  };
  /** Nothing to do with the key's use: an invalid ciphertext is as far as these requests get. */
  const past = (operation: string) => (operation === 'decrypt' || operation === 'unwrapkey' ? 400 : 200);
  const seconds = (offset: number) => Math.floor(Date.now() / 1000) + offset;

  test.each(names)('a disabled key refuses %s and names it', async (operation) => {
    await importAs('disabled', { attributes: { enabled: false } });
    const answer = await post(`/keys/disabled//${operation}`, bodies[operation]);
    expect(refusalOf(answer)).toEqual([403, 'Forbidden', 'KeyDisabled']);
    expect(answer.body.error?.message).toContain(words[operation] ?? operation);
  });

  test.each(names)('a key without the operation refuses %s', async (operation) => {
    await importAs('narrow', {});
    const others = names.map((name) => words[name] ?? name).filter((name) => name !== (words[operation] ?? operation));
    await raw(uri, 'PATCH', versioned('/keys/narrow'), { key_ops: others });
    const answer = await post(`/keys/narrow//${operation}`, bodies[operation]);
    expect(refusalOf(answer)).toEqual([403, 'Forbidden', 'KeyOperationForbidden']);
    await raw(uri, 'PATCH', versioned('/keys/narrow'), { key_ops: [words[operation] ?? operation] });
    expect((await post(`/keys/narrow//${operation}`, bodies[operation])).status).toBe(past(operation));
  });

  test.each(
    names.flatMap((operation) => [
      [operation, 'early', { nbf: seconds(3600) }] as const,
      [operation, 'late', { exp: seconds(-3600) }] as const,
    ]),
  )('%s with a key that is too %s', async (operation, _, attributes) => {
    await importAs('timed', { attributes });
    const answer = await post(`/keys/timed//${operation}`, bodies[operation]);
    const allowed = ['decrypt', 'unwrapkey', 'verify'].includes(operation);
    expect(answer.status).toBe(allowed ? past(operation) : 403);
    expect(answer.body.error?.innererror).toBeUndefined();
  });

  test('a key exchange key does nothing but take part in imports', async () => {
    await raw(uri, 'POST', versioned('/keys/kek/create'), { kty: 'RSA-HSM', key_ops: ['import'] });
    for (const operation of names) {
      const answer = await post(`/keys/kek//${operation}`, bodies[operation]);
      expect(refusalOf(answer)).toEqual([403, 'Forbidden', 'KeyOperationForbidden']);
    }
  });

  test('a key that is not there is 404', async () => {
    expect(refusalOf(await post('/keys/absent//sign', bodies.sign))).toEqual([404, 'KeyNotFound']);
  });

  test('the SDK shows the inner code', async () => {
    await importAs('disabled', { attributes: { enabled: false } });
    const client = await clientOf('disabled');
    expect(await refusalOfCall(client.sign('RS256', Buffer.alloc(32)))).toEqual([403, 'Forbidden', 'KeyDisabled']);
  });

  test('on request, a disabled key keeps what needs its public part alone', async () => {
    const lenient = await startVaults({ vaults: [premiumVault], disabledKeysStillUsePublicKey: true });
    const address = lenient.addressOf('premium-vault').uri;
    await raw(address, 'POST', versioned('/keys/off/create'), { kty: 'RSA', attributes: { enabled: false } });
    const statuses = await Promise.all(
      names.map(
        async (operation) =>
          (await raw(address, 'POST', versioned(`/keys/off//${operation}`), bodies[operation])).status,
      ),
    );
    await lenient.stop();
    expect(Object.fromEntries(names.map((name, index) => [name, statuses[index]]))).toEqual({
      encrypt: 200,
      decrypt: 403,
      wrapkey: 200,
      unwrapkey: 403,
      sign: 403,
      verify: 200,
    });
  });
});
