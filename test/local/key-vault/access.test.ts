import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adminAccess, premiumVault, principals, startVaults } from './support/start.ts';
import { raw, refusalOf, versioned } from './support/raw.ts';

let vaults: Awaited<ReturnType<typeof startVaults>>;

const roles = {
  administrator: '00482a5a-887f-4fb3-b363-3b7fe8e74483',
  reader: '21090545-7ca7-4776-b22c-e363652d74d2',
  cryptoOfficer: '14b46e9e-c2b7-41b4-b07b-48a6ebf60603',
  cryptoUser: '12338af0-0e69-4776-bea7-57ae8d297424',
  encryptionUser: 'e147488a-f6f5-4113-8e2d-b22465e65bf6',
  releaseUser: '08bbd89e-9f13-488c-ac41-acfcb10c90ab',
  secretsOfficer: 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7',
  secretsUser: '4633458b-17de-408a-b874-0445c86b69e6',
  certificatesOfficer: 'a4417e6f-fecd-4de8-b567-7b0420556985',
  purgeOperator: 'a68e7c17-0ab2-4c09-9a58-125dae29748c',
};

beforeAll(async () => {
  vaults = await startVaults({
    vaults: [
      { ...premiumVault, name: 'policy-vault' },
      { ...premiumVault, name: 'roles-vault', access: { model: 'rbac', grants: {} } },
    ],
  });
});
afterAll(async () => vaults.stop());

/** A request for every operation, with the word and the data action that it takes. None of the names exist. */
const operations: [string, string, string, string][] = [
  ['POST', '/keys/none/create', 'keys create', 'keys/create/action'],
  ['PUT', '/keys/none', 'keys import', 'keys/import/action'],
  ['GET', '/keys/none', 'keys get', 'keys/read'],
  ['GET', '/keys/none/versions', 'keys list', 'keys/read'],
  ['GET', '/keys', 'keys list', 'keys/read'],
  ['PATCH', '/keys/none', 'keys update', 'keys/update/action'],
  ['DELETE', '/keys/none', 'keys delete', 'keys/delete'],
  ['GET', '/deletedkeys/none', 'keys get', 'keys/read'],
  ['GET', '/deletedkeys', 'keys list', 'keys/read'],
  ['POST', '/deletedkeys/none/recover', 'keys recover', 'keys/recover/action'],
  ['DELETE', '/deletedkeys/none', 'keys purge', 'keys/purge/action'],
  ['POST', '/keys/none//encrypt', 'keys encrypt', 'keys/encrypt/action'],
  ['POST', '/keys/none//decrypt', 'keys decrypt', 'keys/decrypt/action'],
  ['POST', '/keys/none//sign', 'keys sign', 'keys/sign/action'],
  ['POST', '/keys/none//verify', 'keys verify', 'keys/verify/action'],
  ['POST', '/keys/none//wrapkey', 'keys wrapKey', 'keys/wrap/action'],
  ['POST', '/keys/none//unwrapkey', 'keys unwrapKey', 'keys/unwrap/action'],
  ['POST', '/keys/none//release', 'keys release', 'keys/release/action'],
  ['POST', '/keys/none/backup', 'keys backup', 'keys/backup/action'],
  ['POST', '/keys/restore', 'keys restore', 'keys/restore/action'],
  ['POST', '/keys/none/rotate', 'keys rotate', 'keys/rotate/action'],
  ['GET', '/keys/none/rotationpolicy', 'keys getrotationpolicy', 'keyrotationpolicies/read'],
  ['PUT', '/keys/none/rotationpolicy', 'keys setrotationpolicy', 'keyrotationpolicies/write'],
  ['PUT', '/secrets/none', 'secrets set', 'secrets/setSecret/action'],
  ['GET', '/secrets/none', 'secrets get', 'secrets/getSecret/action'],
  ['GET', '/secrets/none/versions', 'secrets list', 'secrets/readMetadata/action'],
  ['GET', '/secrets', 'secrets list', 'secrets/readMetadata/action'],
  ['PATCH', '/secrets/none', 'secrets set', 'secrets/update/action'],
  ['DELETE', '/secrets/none', 'secrets delete', 'secrets/delete'],
  ['GET', '/deletedsecrets/none', 'secrets get', 'secrets/readMetadata/action'],
  ['GET', '/deletedsecrets', 'secrets list', 'secrets/readMetadata/action'],
  ['POST', '/deletedsecrets/none/recover', 'secrets recover', 'secrets/recover/action'],
  ['DELETE', '/deletedsecrets/none', 'secrets purge', 'secrets/purge/action'],
  ['POST', '/secrets/none/backup', 'secrets backup', 'secrets/backup/action'],
  ['POST', '/secrets/restore', 'secrets restore', 'secrets/restore/action'],
];

const call = (vault: string, method: string, path: string, token: string) =>
  raw(vaults.addressOf(vault).uri, method, versioned(path), undefined, { token });

describe.each(operations)('%s %s', (method, path, permission, dataAction) => {
  const [kind = '', word = ''] = permission.split(' ');
  const words = {
    keys: [
      'get',
      'list',
      'update',
      'create',
      'import',
      'delete',
      'recover',
      'backup',
      'restore',
      'decrypt',
      'encrypt',
      'unwrapKey',
      'wrapKey',
      'verify',
      'sign',
      'purge',
      'release',
      'rotate',
      'getrotationpolicy',
      'setrotationpolicy',
    ],
    secrets: ['get', 'list', 'set', 'delete', 'recover', 'backup', 'restore', 'purge'],
  };

  test('takes its permission word and no other', async () => {
    const control = vaults.control('policy-vault');
    control.setAccess(principals.custom.objectId, { [kind]: [word] });
    expect((await call('policy-vault', method, path, 'custom')).status).not.toBe(403);
    const others = { ...words, [kind]: words[kind as 'keys'].filter((other) => other !== word) };
    control.setAccess(principals.custom.objectId, others);
    expect(refusalOf(await call('policy-vault', method, path, 'custom'))).toEqual([
      403,
      'Forbidden',
      'ForbiddenByPolicy',
    ]);
  });

  test('takes its data action', async () => {
    const control = vaults.control('roles-vault');
    control.setAccess(principals.custom.objectId, { dataActions: [`Microsoft.KeyVault/vaults/${dataAction}`] });
    expect((await call('roles-vault', method, path, 'custom')).status).not.toBe(403);
    control.removeAccess(principals.custom.objectId);
    const refused = await call('roles-vault', method, path, 'custom');
    expect(refusalOf(refused)).toEqual([403, 'Forbidden', 'ForbiddenByRbac']);
    expect(refused.body.error?.message).toContain(`Microsoft.KeyVault/vaults/${dataAction}`);
    expect(refused.body.error?.message).toContain(principals.custom.objectId);
  });
});

const everything = operations.map(([, , , dataAction]) => dataAction);
const startingWith = (...starts: string[]) =>
  everything.filter((action) => starts.some((start) => action.startsWith(start)));
test.each<[keyof typeof roles, readonly string[]]>([
  ['administrator', everything],
  ['reader', ['keys/read', 'keyrotationpolicies/read', 'secrets/readMetadata/action']],
  ['cryptoOfficer', startingWith('keys/', 'keyrotationpolicies/')],
  [
    'cryptoUser',
    [
      'keys/read',
      'keys/update/action',
      'keys/backup/action',
      'keys/encrypt/action',
      'keys/decrypt/action',
      'keys/sign/action',
      'keys/verify/action',
      'keys/wrap/action',
      'keys/unwrap/action',
    ],
  ],
  ['encryptionUser', ['keys/read', 'keys/wrap/action', 'keys/unwrap/action']],
  ['releaseUser', ['keys/release/action']],
  ['secretsOfficer', startingWith('secrets/')],
  ['secretsUser', ['secrets/getSecret/action', 'secrets/readMetadata/action']],
  ['certificatesOfficer', []],
  ['purgeOperator', []],
])('the built-in role %s covers what it should and nothing else', async (role, covered) => {
  vaults.control('roles-vault').setAccess(principals.custom.objectId, { roles: [roles[role]] });
  for (const [method, path, , dataAction] of operations) {
    const answer = await call('roles-vault', method, path, 'custom');
    expect([dataAction, answer.status !== 403]).toEqual([dataAction, covered.includes(dataAction)]);
  }
});

test('a wildcard of a custom role covers what it matches', async () => {
  vaults.control('roles-vault').setAccess(principals.custom.objectId, {
    dataActions: ['Microsoft.KeyVault/vaults/keys/*/action'],
  });
  expect((await call('roles-vault', 'POST', '/keys/none//sign', 'custom')).status).toBe(404);
  expect((await call('roles-vault', 'GET', '/keys/none', 'custom')).status).toBe(403);
});

test('permission comes before the body and before the question whether the key exists', async () => {
  const { uri } = vaults.addressOf('policy-vault');
  const options = { token: 'nobody' };
  expect((await raw(uri, 'POST', versioned('/keys/none/create'), '{', options)).status).toBe(403);
  expect((await raw(uri, 'GET', versioned('/keys/none'), undefined, options)).status).toBe(403);
});

test.each([
  ['policy-vault', { roles: [roles.reader] }],
  ['policy-vault', { keys: ['read'] }],
  ['policy-vault', { secrets: ['update'] }],
  ['roles-vault', { keys: ['get'] }],
  ['roles-vault', { roles: ['11111111-1111-1111-1111-111111111111'] }],
  ['roles-vault', { dataActions: ['keys/read'] }],
  ['roles-vault', { dataActions: ['Microsoft.KeyVault/vaults/keys/fly/action'] }],
])('%s can not be given %j', (vault, grant) => {
  expect(() => vaults.control(vault).setAccess(principals.custom.objectId, grant)).toThrow();
});

test.each([
  { name: 'ab' },
  { name: '1vault' },
  { name: 'double--hyphen' },
  { name: 'ends-' },
  { name: 'a'.repeat(25) },
  { softDeleteRetentionDays: 6 },
  { softDeleteRetentionDays: 91 },
])('a vault with %j can not be made', async (options) => {
  await expect(startVaults({ vaults: [{ ...premiumVault, access: adminAccess, ...options }] })).rejects.toThrow();
});
