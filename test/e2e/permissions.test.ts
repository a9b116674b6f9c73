import type { KeyClient } from '@azure/keyvault-keys';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KeyVaultCall, KeyVaultStandIn } from '../../src/local/key-vault/index.ts';
import { providerApplication } from '../../src/local/platform/index.ts';
import { errorOf, keymgmtAt, versionId, type Keymgmt } from '../support/keymgmt.ts';
import { startRbacVault, type RbacVault } from '../support/rbac-vault.ts';
import {
  keyClient,
  providerCredentials,
  providerFields,
  startService,
  vaultOf,
  type Answer,
  type Service,
} from '../support/service.ts';
import { seeContents, seeVersions } from '../support/vault-contents.ts';

/* Five permissions are what it takes, and what is missing is said by the name that a vault's owner knows it by. */

const permissions = ['create', 'delete', 'get', 'import', 'update'];
const dataActions: Record<string, string> = {
  create: 'Microsoft.KeyVault/vaults/keys/create/action',
  delete: 'Microsoft.KeyVault/vaults/keys/delete',
  get: 'Microsoft.KeyVault/vaults/keys/read',
  import: 'Microsoft.KeyVault/vaults/keys/import/action',
  update: 'Microsoft.KeyVault/vaults/keys/update/action',
};

let service: Service;
let rbac: RbacVault;
let keymgmt: Keymgmt;

beforeAll(async () => {
  service = await startService({
    platform: { vaults: [{ name: 'policy-keyvault', sku: 'premium' }] },
    // Long enough for slow machines: a vault's key exchange key takes a while to be made.
    settings: { KEYFLEET_WAIT_SECONDS: '20' },
    async configure(platform) {
      rbac = await startRbacVault(platform, 'rbac-keyvault');
      return rbac.settings;
    },
  });
  await service.vault('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' });
  keymgmt = keymgmtAt(service, 'keymgmt');
});

afterAll(async () => {
  await service.stop();
  await rbac.keyVault.stop();
});

const warningsOf = async (path: string) => (await keymgmt.send('GET', path)).body.warnings?.join('\n') ?? '';

interface TargetVault {
  provider: string;
  vaultName: string;
  credentials: Record<string, string>;
  standIn: KeyVaultStandIn;
  client: KeyClient;
  /** Gives the application these permissions and no others. */
  grant(granted: readonly string[]): void;
  /** How a list is answered: with roles, whoever may read may list. */
  listStatus: number;
  /** How a refusal names what is missing. */
  missing(permission: string): string;
}

const models: [model: string, target: () => TargetVault][] = [
  [
    'access policies',
    () => ({
      provider: 'by-policy',
      listStatus: 403,
      vaultName: 'policy-keyvault',
      credentials: providerCredentials(),
      standIn: service.platform.keyVault,
      client: keyClient(service.platform, 'policy-keyvault'),
      grant(keys) {
        service.platform.keyVault.control('policy-keyvault').setAccess(providerApplication.objectId, { keys });
      },
      missing: (permission) => `lacks the key permission "${permission}"`,
    }),
  ],
  [
    'a custom role',
    () => ({
      provider: 'by-role',
      listStatus: 200,
      vaultName: 'rbac-keyvault',
      credentials: providerCredentials({ environment: rbac.cloud }),
      standIn: rbac.keyVault,
      client: rbac.client,
      grant(granted) {
        const grant = { dataActions: granted.map((permission) => dataActions[permission] ?? '') };
        rbac.keyVault.control('rbac-keyvault').setAccess(providerApplication.objectId, grant);
      },
      missing: (permission) => `with RBAC the data action ${dataActions[permission]})`,
    }),
  ],
];

describe.each(models)('in a vault with %s', (_model, findTarget) => {
  let target: TargetVault;
  const path = (key: string, provider = target.provider) => `kms/${provider}/key/${key}`;
  const distribute = (key: string, provider?: string) => keymgmt.send('PUT', path(key, provider), { purpose: 'sign' });
  const ourCalls = (): readonly KeyVaultCall[] =>
    target.standIn.calls.filter(
      ({ vault, clientId }) => vault === target.vaultName && clientId === providerApplication.clientId,
    );

  beforeAll(async () => {
    target = findTarget();
    target.grant(permissions);
    await keymgmt.done('PUT', `kms/${target.provider}`, providerFields(target.vaultName, target.credentials));
  });

  test('five permissions are all it takes, and listing is none of them', async () => {
    const key = `five-${target.provider}`;
    await keymgmt.done('POST', `key/${key}`);
    await keymgmt.done('PUT', path(key), { purpose: 'sign' });
    await keymgmt.done('POST', `key/${key}/rotate`);
    await keymgmt.done('PUT', `key/${key}`, { min_enabled_version: 2 });
    await keymgmt.done('DELETE', path(key));
    const isList = ({ operation }: KeyVaultCall) => operation === 'list' || operation === 'versions';
    const [lists, others] = [ourCalls().filter(isList), ourCalls().filter((call) => !isList(call))];
    const operations = new Set(others.map(({ operation }) => operation));
    // The client looks once whether the deleted key can be seen already, and that is a read too.
    expect([...operations].sort()).toEqual(['create', 'delete', 'get', 'getDeleted', 'import', 'update']);
    expect(others.filter(({ status }) => status === 403)).toEqual([]);
    // What a list could tell is asked for, and done without.
    expect(new Set(lists.map(({ status }) => status))).toEqual(new Set([target.listStatus]));
  });

  interface Row {
    permission: string;
    /** What must be there before. */
    prepare?: (key: string) => Promise<void>;
    act: (key: string) => Promise<Answer>;
    /** Of a provider that has no key exchange key yet. */
    provider?: string;
  }
  const rows: Row[] = [
    {
      permission: 'create',
      provider: 'without-key-exchange-key',
      act: (key) => distribute(key, `${target.provider}-without-key-exchange-key`),
    },
    { permission: 'get', act: (key) => distribute(key) },
    { permission: 'import', act: (key) => distribute(key) },
    {
      permission: 'update',
      async prepare(key) {
        await keymgmt.done('PUT', path(key), { purpose: 'sign' });
        await keymgmt.done('POST', `key/${key}/rotate`);
      },
      act: (key) => keymgmt.send('PUT', `key/${key}`, { min_enabled_version: 2 }),
    },
    {
      permission: 'delete',
      prepare: (key) => keymgmt.done('PUT', path(key), { purpose: 'sign' }),
      act: (key) => keymgmt.send('DELETE', path(key)),
    },
  ];

  test.each(rows)('$permission is missed, by name, and having it again is enough', async (row) => {
    const { permission, prepare, act } = row;
    const key = `no-${permission}-${target.provider}`;
    const provider = row.provider === undefined ? target.provider : `${target.provider}-${row.provider}`;
    if (row.provider !== undefined) {
      await keymgmt.done('PUT', `kms/${provider}`, providerFields(target.vaultName, target.credentials));
    }
    await keymgmt.done('POST', `key/${key}`);
    await prepare?.(key);
    const before = await seeContents(target.client);
    const { versions, latest_version: latest } = await keymgmt.key(key);

    target.grant(permissions.filter((other) => other !== permission));
    const error = errorOf(await act(key));
    expect(error).toContain(`Key Vault "${target.vaultName}"`);
    expect(error).toContain(target.missing(permission));
    expect(await seeContents(target.client)).toEqual(before);
    expect(await warningsOf(path(key, provider))).toContain(target.missing(permission));
    const after = await keymgmt.key(key);
    expect(after.latest_version).toBe(latest);
    expect(versions).toMatchObject(after.versions);

    target.grant(permissions);
    expect(await act(key)).toMatchObject({ status: 204 });
    expect(await seeContents(target.client)).not.toEqual(before);
    expect(await warningsOf(path(key, provider))).toBe('');
  });

  test('a rotation that a vault will not take is refused before it has begun', async () => {
    const key = `steady-${target.provider}`;
    await keymgmt.done('POST', `key/${key}`);
    await keymgmt.done('PUT', path(key), { purpose: 'sign' });
    const before = await seeContents(target.client);
    target.grant(permissions.filter((permission) => permission !== 'get'));
    // Another host has not just seen the vault well.
    const other = await service.startHost({ settings: rbac.settings, disabledFunctions: ['distribution'] });
    const error = errorOf(await vaultOf(other, service.platform.rootToken)('POST', `keymgmt/key/${key}/rotate`));
    target.grant(permissions);
    await other.stop();
    expect(error).toContain(`key "${key}" is not rotated`);
    expect(error).toContain(target.missing('get'));
    expect(await keymgmt.key(key)).toMatchObject({ latest_version: 1 });
    expect(await seeContents(target.client)).toEqual(before);
  });

  test('a rotation that is refused on the way is on record, and the next one waits for it', async () => {
    const key = `stuck-${target.provider}`;
    await keymgmt.done('POST', `key/${key}`);
    await keymgmt.done('PUT', path(key), { purpose: 'sign' });
    target.grant(permissions.filter((permission) => permission !== 'import'));
    expect(errorOf(await keymgmt.send('POST', `key/${key}/rotate`))).toContain(target.missing('import'));
    expect(await keymgmt.key(key)).toMatchObject({ latest_version: 2 });
    const { body } = await keymgmt.send('GET', path(key));
    expect(body.data?.versions).toEqual({ 1: versionId });

    const error = errorOf(await keymgmt.send('POST', `key/${key}/rotate`));
    expect(error).toContain(`key "${key}" is not rotated`);
    expect(error).toContain(`write ${path(key)} again`);
    expect(await keymgmt.key(key)).toMatchObject({ latest_version: 2 });

    target.grant(permissions);
    expect(await distribute(key)).toMatchObject({ status: 204 });
    const { name, versions } = await keymgmt.distribution(path(key));
    expect(versions).toEqual({ 1: versionId, 2: versionId });
    const seen = await seeVersions(target.client, name);
    expect(seen.map(({ id }) => id)).toEqual(Object.values(versions));
  });
});
