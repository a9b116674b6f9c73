import { createHash } from 'node:crypto';
import { CryptographyClient } from '@azure/keyvault-keys';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { adminAccess, createCredential, keyClient, premiumVault, startVaults, tenantId } from './support/start.ts';
import { raw, refusalOf, versioned, type RawAnswer } from './support/raw.ts';

const lag = 60_000;
let vaults: Awaited<ReturnType<typeof startVaults>>;
let uri: string;
let other: string;
let serial = 0;
const fresh = () => `name-${++serial}`;

beforeAll(async () => {
  vaults = await startVaults({
    vaults: [
      premiumVault,
      { ...premiumVault, name: 'other-vault', softDeleteRetentionDays: 90 },
      { name: 'standard-vault', sku: 'standard', tenantId, access: adminAccess },
    ],
    deletionLagMilliseconds: lag,
  });
  ({ uri } = vaults.addressOf('premium-vault'));
  other = vaults.addressOf('other-vault').uri;
});
afterAll(async () => vaults.stop());

/** Both kinds do this alike. `make` adds a version. */
const kinds = [
  {
    kind: 'keys',
    deleted: 'deletedkeys',
    make: (name: string) => raw(uri, 'POST', versioned(`/keys/${name}/create`), { kty: 'EC', tags: { n: name } }),
  },
  {
    kind: 'secrets',
    deleted: 'deletedsecrets',
    make: (name: string) => raw(uri, 'PUT', versioned(`/secrets/${name}`), { value: name, contentType: 'text/plain' }),
  },
];
type Kind = (typeof kinds)[number];

const backup = async ({ kind }: Kind, name: string): Promise<string> => {
  const answer = await raw(uri, 'POST', versioned(`/${kind}/${name}/backup`));
  expect(Object.keys(answer.body)).toEqual(['value']);
  return answer.body.value as string;
};
const restore = ({ kind }: Kind, value: unknown, address = uri) =>
  raw(address, 'POST', versioned(`/${kind}/restore`), { value });
const idsOf = (answer: RawAnswer) =>
  (answer.body.value as { kid?: string; id?: string }[]).map(({ kid, id }) => (kid ?? id ?? '').split('/').slice(4));

test.each(kinds)('$kind: a restore brings back the name and all version ids, elsewhere too', async (kind) => {
  const name = `Case-${fresh()}`;
  await kind.make(name);
  await kind.make(name);
  const newest = await raw(uri, 'GET', versioned(`/${kind.kind}/${name}`));
  const versions = await raw(uri, 'GET', versioned(`/${kind.kind}/${name}/versions`));
  const value = await backup(kind, name);
  const restored = await restore(kind, value, other);
  expect(restored.status).toBe(200);
  expect(restored.body).not.toHaveProperty('value');
  expect(idsOf(await raw(other, 'GET', versioned(`/${kind.kind}/${name}/versions`)))).toEqual(idsOf(versions));
  const there = await raw(other, 'GET', versioned(`/${kind.kind}/${name}`));
  const moved = JSON.parse(newest.text.replaceAll(uri, other)) as object;
  expect(there.body).toEqual({
    ...moved,
    attributes: { ...newest.body.attributes, recoveryLevel: 'Recoverable+Purgeable', recoverableDays: 90 },
  });
});

test('a restored key has its private part', async () => {
  const name = fresh();
  const key = await keyClient(uri).createKey(name, 'EC');
  const value = await keyClient(uri).backupKey(name);
  const restored = await keyClient(other).restoreKeyBackup(value as Uint8Array);
  const digest = createHash('sha256').update('data').digest();
  const { result } = await new CryptographyClient(restored, createCredential('admin')).sign('ES256', digest);
  const original = new CryptographyClient(key, createCredential('admin'));
  expect((await original.verify('ES256', digest, result)).result).toBe(true);
});

test.each(kinds)('$kind: the backup is a marker and a JWE that shows nothing', async (kind) => {
  const name = fresh();
  await kind.make(name);
  const text = Buffer.from(await backup(kind, name), 'base64url').toString();
  expect(text).toMatch(/^AzureKeyVault(Key|Secret)BackupV1\.microsoft\.com/);
  const header = text.split('microsoft.com')[1]?.split('.')[0] ?? '';
  expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({
    alg: 'RSA-OAEP-256',
    enc: 'A256CBC-HS512',
  });
  expect(text).not.toContain(name);
});

test.each(kinds)('$kind: a restore is refused, without inner code, until the name is free', async (kind) => {
  const name = fresh();
  await kind.make(name);
  const value = await backup(kind, name);
  const conflict = [409, 'Conflict'];
  expect(refusalOf(await restore(kind, value))).toEqual(conflict);
  await raw(uri, 'DELETE', versioned(`/${kind.kind}/${name}`));
  expect(refusalOf(await restore(kind, value))).toEqual(conflict);
  vaults.clock.advance(lag);
  expect(refusalOf(await restore(kind, value))).toEqual(conflict);
  expect((await raw(uri, 'DELETE', versioned(`/${kind.deleted}/${name}`))).status).toBe(204);
  expect(refusalOf(await restore(kind, value))).toEqual(conflict);
  vaults.clock.advance(lag);
  expect((await restore(kind, value)).status).toBe(200);
});

test.each(kinds)('$kind: a backup that is none is refused with a code like no other', async (kind) => {
  const name = fresh();
  await kind.make(name);
  const value = await backup(kind, name);
  const foreign = kinds.find((one) => one !== kind) as Kind;
  for (const bad of ['', 'AAAA', value.slice(0, -8), Buffer.from('marker').toString('base64url')]) {
    expect(refusalOf(await restore(kind, bad))).toEqual([400, 'Malformed backup blob']);
  }
  expect(refusalOf(await restore(foreign, value))).toEqual([400, 'Malformed backup blob']);
  expect(refusalOf(await restore(kind, undefined))).toEqual([400, 'BadParameter']);
});

test.each(kinds)('$kind: what is absent or deleted can not be backed up', async (kind) => {
  const name = fresh();
  const code = kind.kind === 'keys' ? 'KeyNotFound' : 'SecretNotFound';
  expect(refusalOf(await raw(uri, 'POST', versioned(`/${kind.kind}/${name}/backup`)))).toEqual([404, code]);
  await kind.make(name);
  await raw(uri, 'DELETE', versioned(`/${kind.kind}/${name}`));
  expect(refusalOf(await raw(uri, 'POST', versioned(`/${kind.kind}/${name}/backup`)))).toEqual([404, code]);
});

test('500 versions can be backed up and 501 can not', async () => {
  const secrets = kinds[1] as Kind;
  const name = fresh();
  for (let count = 0; count < 500; count++) await secrets.make(name);
  await backup(secrets, name);
  await secrets.make(name);
  expect(refusalOf(await raw(uri, 'POST', versioned(`/secrets/${name}/backup`)))).toEqual([400, 'BadParameter']);
});

test('a hardware key can not be restored to a standard vault', async () => {
  const name = fresh();
  await raw(uri, 'POST', versioned(`/keys/${name}/create`), { kty: 'EC-HSM' });
  const keys = kinds[0] as Kind;
  const answer = await restore(keys, await backup(keys, name), vaults.addressOf('standard-vault').uri);
  expect(refusalOf(answer)).toEqual([400, 'BadParameter']);
});
