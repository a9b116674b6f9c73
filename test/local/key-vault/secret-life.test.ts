import { beforeEach, describe, expect, test } from 'vitest';
import { refusalOfCall } from './support/raw.ts';
import { secretClient } from './support/secret-client.ts';
import { absent, quick, settled, useSecretVaults, type SecretTest } from './support/secret-vaults.ts';
import { adminAccess, premiumVault, principals, tenantId, type PrincipalName } from './support/start.ts';

/* What becomes of a secret that exists: deletion and what follows it, attributes, and who may do what with it. */

const { objectId } = principals.custom;
let vaults: SecretTest['vaults'];
let client: SecretTest['client'];
let name: string;

const begin = useSecretVaults([
  { name: 'kept-vault', sku: 'standard', tenantId, purgeProtection: true, access: adminAccess },
  {
    ...premiumVault,
    name: 'policy-vault',
    access: { model: 'access-policy', grants: { [objectId]: { secrets: ['get', 'delete'] } } },
  },
  {
    ...premiumVault,
    name: 'roles-vault',
    access: {
      model: 'rbac',
      grants: {
        [principals.admin.objectId]: { roles: ['b86a8fe4-44ce-4948-aee5-eccb2c155cd7'] },
        [principals.reader.objectId]: { roles: ['21090545-7ca7-4776-b22c-e363652d74d2'] },
        [principals.cryptoUser.objectId]: { roles: ['4633458b-17de-408a-b874-0445c86b69e6'] },
        [objectId]: { dataActions: ['Microsoft.KeyVault/vaults/secrets/setSecret/action'] },
      },
    },
  },
]);
beforeEach(() => {
  ({ vaults, client, name } = begin());
});

/** Of another vault. */
const clientOf = (vault: string, token?: PrincipalName) => secretClient(vaults.addressOf(vault).uri, token).client;

describe('soft delete', () => {
  const del = () => client.beginDeleteSecret(name, quick);

  test('a deletion in progress hides the secret from everybody and keeps its name', async () => {
    await client.setSecret(name, 'v');
    await del();
    expect(await refusalOfCall(client.getSecret(name))).toEqual(absent);
    expect(await refusalOfCall(client.getDeletedSecret(name))).toEqual(absent);
    expect(await refusalOfCall(client.setSecret(name, 'w'))).toEqual([409, 'Conflict', 'ObjectIsBeingDeleted']);
    expect(await refusalOfCall(client.purgeDeletedSecret(name))).toEqual([409, 'Conflict', 'ObjectIsBeingDeleted']);
    expect(await refusalOfCall(del())).toEqual(absent);
    await settled();
    expect(await refusalOfCall(client.setSecret(name, 'w'))).toEqual([
      409,
      'Conflict',
      'ObjectIsDeletedButRecoverable',
    ]);
    expect(await refusalOfCall(del())).toEqual(absent);
  });

  test('a recovery in progress refuses sets and deletes', async () => {
    await client.setSecret(name, 'v');
    await (await del()).pollUntilDone();
    const recovering = await client.beginRecoverDeletedSecret(name, quick);
    const beingRecovered = [409, 'Conflict', 'ObjectIsBeingRecovered'];
    expect(await refusalOfCall(client.setSecret(name, 'w'))).toEqual(beingRecovered);
    expect(await refusalOfCall(del())).toEqual(beingRecovered);
    await recovering.pollUntilDone();
    expect((await client.setSecret(name, 'w')).value).toBe('w');
  });

  test('a restore is refused without inner code until the name is free', async () => {
    await client.setSecret(name, 'v');
    const backup = (await client.backupSecret(name)) ?? new Uint8Array();
    const restore = () => client.restoreSecretBackup(backup);
    expect(await refusalOfCall(restore())).toEqual([409, 'Conflict']);
    await (await del()).pollUntilDone();
    expect(await refusalOfCall(restore())).toEqual([409, 'Conflict']);
    await client.purgeDeletedSecret(name);
    expect(await refusalOfCall(restore())).toEqual([409, 'Conflict']);
    await settled();
    expect((await restore()).name).toBe(name);
  });

  test('purge protection refuses a purge, and shows in the recovery level', async () => {
    const kept = clientOf('kept-vault');
    const { properties } = await kept.setSecret(name, 'v');
    expect([properties.recoveryLevel, properties.recoverableDays]).toEqual(['Recoverable', 90]);
    await (await kept.beginDeleteSecret(name, quick)).pollUntilDone();
    expect(await refusalOfCall(kept.purgeDeletedSecret(name))).toEqual([403, 'Forbidden']);
  });

  test('what is not there can not be read, updated, deleted, recovered, purged or backed up', async () => {
    const calls = [
      client.getSecret(name),
      client.updateSecretProperties(name, '0123456789abcdef0123456789abcdef', {}),
      client.beginDeleteSecret(name),
      client.getDeletedSecret(name),
      client.purgeDeletedSecret(name),
      client.backupSecret(name),
    ];
    for (const refusal of await Promise.all(calls.map(refusalOfCall))) expect(refusal).toEqual(absent);
    await expect(client.beginRecoverDeletedSecret(name)).rejects.toMatchObject({ code: 'SecretNotFound' });
  });
});

describe('enabled, nbf and exp', () => {
  test('a disabled secret is not shown, but updated, listed and deleted', async () => {
    const { properties } = await client.setSecret(name, 'v', { enabled: false });
    expect(await refusalOfCall(client.getSecret(name))).toEqual([403, 'Forbidden', 'SecretDisabled']);
    expect((await client.updateSecretProperties(name, properties.version ?? '', { tags: { a: 'b' } })).enabled).toBe(
      false,
    );
    expect(await Array.fromAsync(client.listPropertiesOfSecretVersions(name))).toMatchObject([{ enabled: false }]);
    await (await client.beginDeleteSecret(name, quick)).pollUntilDone();
  });

  test('nbf and exp only inform', async () => {
    const times = { notBefore: new Date('2037-01-01T00:00:00Z'), expiresOn: new Date('2001-01-01T00:00:00Z') };
    await client.setSecret(name, 'v', times);
    expect(await client.getSecret(name)).toMatchObject({ value: 'v', properties: times });
  });

  test('an update moves updated alone, keeps what is absent, replaces tags as a whole; none clear them', async () => {
    const made = await client.setSecret(name, 'v', { contentType: 'c', tags: { a: '1', b: '2' } });
    const update = (options: object) => client.updateSecretProperties(name, made.properties.version ?? '', options);
    vaults.clock.advance(2000);
    const changed = await update({ tags: { c: '3' } });
    expect(changed).toMatchObject({ contentType: 'c', tags: { c: '3' }, createdOn: made.properties.createdOn });
    expect(Number(changed.updatedOn)).toBeGreaterThan(Number(made.properties.updatedOn));
    expect((await update({ contentType: 'd' })).tags).toEqual({ c: '3' });
    expect((await update({ tags: {} })).tags).toBeUndefined();
  });
});

describe('permissions', () => {
  test('words of an access policy', async () => {
    const admitted = clientOf('policy-vault', 'custom');
    const forbidden = [403, 'Forbidden', 'ForbiddenByPolicy'];
    expect(await refusalOfCall(admitted.setSecret(name, 'v'))).toEqual(forbidden);
    expect(await refusalOfCall(admitted.getSecret(name))).toEqual(absent);
    expect(await refusalOfCall(admitted.getDeletedSecret(name))).toEqual(absent);
    expect(await refusalOfCall(admitted.purgeDeletedSecret(name))).toEqual(forbidden);
    expect(await refusalOfCall(clientOf('policy-vault', 'nobody').getSecret(name))).toEqual(forbidden);
  });

  test('roles: officers do everything, users read, readers see no value, custom roles what they list', async () => {
    const forbidden = [403, 'Forbidden', 'ForbiddenByRbac'];
    const { properties } = await clientOf('roles-vault', 'custom').setSecret(name, 'v');
    const update = (who: PrincipalName) =>
      clientOf('roles-vault', who).updateSecretProperties(name, properties.version ?? '', {});
    expect(await refusalOfCall(clientOf('roles-vault', 'custom').getSecret(name))).toEqual(forbidden);
    expect(await refusalOfCall(update('custom'))).toEqual(forbidden);
    expect((await clientOf('roles-vault', 'cryptoUser').getSecret(name)).value).toBe('v');
    expect(await refusalOfCall(clientOf('roles-vault', 'cryptoUser').setSecret(name, 'w'))).toEqual(forbidden);
    expect(await Array.fromAsync(clientOf('roles-vault', 'reader').listPropertiesOfSecretVersions(name))).toHaveLength(
      1,
    );
    expect(await refusalOfCall(clientOf('roles-vault', 'reader').getSecret(name))).toEqual(forbidden);
    await update('admin');
    await clientOf('roles-vault').beginDeleteSecret(name);
  });

  test('while a list is iterated, a refusal keeps its status and code and loses the inner code', async () => {
    const listing = Array.fromAsync(clientOf('roles-vault', 'custom').listPropertiesOfSecrets());
    expect(await refusalOfCall(listing)).toEqual([403, 'Forbidden']);
  });
});
