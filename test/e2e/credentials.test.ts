import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tenantId } from '../../src/local/platform/index.ts';
import type { FunctionsHost } from '../../src/local/functions-host/index.ts';
import { errorOf, keymgmtAt, type Keymgmt } from '../support/keymgmt.ts';
import { providerCredentials, providerFields, startService, vaultOf, type Service } from '../support/service.ts';

/*
 * Who the vaults see: each field of the credentials by itself comes from the environment, else from the provider, and
 * without a client secret the managed identity signs in. The vault's own record of its callers is what counts.
 */

const environmentApplication = {
  tenantId,
  clientId: 'b7a5c1de-0d3f-4f4a-8a5b-5d1b6a7c8e01',
  objectId: 'c8b6d2ef-1e40-4a5b-9b6c-6e2c7b8d9f02',
  secrets: [{ value: 'Secret-Of-The-Environment~1' }],
};
const otherTenant = '99999999-8888-4777-8666-555555555555';
const unknownIdentity = '11111111-2222-4333-8444-555555555555';
const serviceIdentity = '7c2f3b34-5a4d-4a0a-9f4e-6d0a4f1e8c01';
const { client_id: clientId = '', client_secret: clientSecret = '' } = providerCredentials();
const publicVault = 'public-keyvault';
const governmentVault = 'gov-keyvault';

let service: Service;

beforeAll(async () => {
  service = await startService({
    platform: {
      vaults: [
        { name: publicVault, sku: 'standard' },
        { name: governmentVault, sku: 'standard', cloud: 'AzureUSGovernmentCloud' },
      ],
    },
    disabledFunctions: ['distribution'],
  });
  const { keyVault, entra } = service.platform;
  entra.putApplication(environmentApplication);
  for (const vault of [publicVault, governmentVault]) {
    const keys = ['create', 'delete', 'get', 'import', 'update'];
    keyVault.control(vault).setAccess(environmentApplication.objectId, { keys });
  }
  await service.vault('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' });
});

afterAll(() => service.stop());

interface Row {
  name: string;
  credentials: Record<string, string>;
  vault?: string;
  /** Client id of whom the vault sees, or what the caller is told instead. */
  comesOutAs: string | RegExp;
}
interface Group {
  environment: string;
  settings: Record<string, string>;
  rows: Row[];
}

const groups: Group[] = [
  {
    environment: 'nothing',
    settings: {},
    rows: [
      { name: 'all from the provider', credentials: providerCredentials(), comesOutAs: clientId },
      { name: 'the tenant alone', credentials: { tenant_id: tenantId }, comesOutAs: serviceIdentity },
      {
        name: 'a client id that is the identity of the service',
        credentials: { tenant_id: tenantId, client_id: serviceIdentity },
        comesOutAs: serviceIdentity,
      },
      {
        name: 'a client id that is no identity here',
        credentials: { tenant_id: tenantId, client_id: unknownIdentity },
        comesOutAs: /Entra refused the credentials/,
      },
      {
        name: 'a secret without a client id',
        credentials: { tenant_id: tenantId, client_secret: clientSecret },
        comesOutAs: serviceIdentity,
      },
      {
        name: 'a managed identity for another tenant',
        credentials: { tenant_id: otherTenant },
        comesOutAs: new RegExp(`belongs to tenant ${tenantId}.*tenant_id is ${otherTenant}`),
      },
      {
        name: 'another cloud',
        vault: governmentVault,
        credentials: providerCredentials({ environment: 'AzureUSGovernmentCloud' }),
        comesOutAs: clientId,
      },
      {
        name: 'another cloud, spelled otherwise, and the managed identity',
        vault: governmentVault,
        credentials: { tenant_id: tenantId, environment: 'azureusgovernmentcloud' },
        comesOutAs: serviceIdentity,
      },
      {
        name: 'the wrong cloud for a vault',
        vault: governmentVault,
        credentials: providerCredentials(),
        comesOutAs: /no vault of this name exists/,
      },
    ],
  },
  {
    environment: 'an application',
    settings: {
      AZURE_TENANT_ID: tenantId,
      AZURE_CLIENT_ID: environmentApplication.clientId,
      AZURE_CLIENT_SECRET: 'Secret-Of-The-Environment~1',
    },
    rows: [
      {
        name: 'another one from the provider',
        credentials: providerCredentials(),
        comesOutAs: environmentApplication.clientId,
      },
      { name: 'nothing from the provider', credentials: {}, comesOutAs: environmentApplication.clientId },
      {
        name: 'another tenant from the provider',
        credentials: { tenant_id: otherTenant },
        comesOutAs: environmentApplication.clientId,
      },
      {
        name: 'a cloud from the provider',
        vault: governmentVault,
        credentials: { environment: 'AzureUSGovernmentCloud' },
        comesOutAs: environmentApplication.clientId,
      },
    ],
  },
  {
    environment: 'a client id, a cloud',
    settings: { AZURE_CLIENT_ID: environmentApplication.clientId, AZURE_ENVIRONMENT: 'AzureUSGovernmentCloud' },
    rows: [
      {
        name: 'the secret that belongs to it from the provider',
        vault: governmentVault,
        credentials: providerCredentials({ client_secret: 'Secret-Of-The-Environment~1' }),
        comesOutAs: environmentApplication.clientId,
      },
      {
        name: "the secret of the provider's own client",
        vault: governmentVault,
        credentials: providerCredentials(),
        comesOutAs: /AADSTS7000215/,
      },
      {
        name: 'the public cloud from the provider',
        vault: publicVault,
        credentials: providerCredentials({
          environment: 'AzurePublicCloud',
          client_secret: 'Secret-Of-The-Environment~1',
        }),
        comesOutAs: /no vault of this name exists/,
      },
      {
        name: 'no secret anywhere: the client id means a managed identity',
        vault: governmentVault,
        credentials: { tenant_id: tenantId },
        comesOutAs: /Entra refused the credentials/,
      },
    ],
  },
  {
    environment: 'empty values, and a tenant',
    settings: { AZURE_CLIENT_ID: '', AZURE_CLIENT_SECRET: '', AZURE_ENVIRONMENT: '', AZURE_TENANT_ID: otherTenant },
    rows: [
      {
        name: 'the right tenant from the provider',
        credentials: providerCredentials(),
        comesOutAs: new RegExp(`belongs to tenant ${tenantId}.*tenant_id is ${otherTenant}`),
      },
    ],
  },
];

describe.each(groups)('with $environment in the environment and', ({ environment, settings, rows }) => {
  let host: FunctionsHost;
  let keymgmt: Keymgmt;
  let callsBefore: number;
  const calls = () => service.platform.keyVault.calls;

  beforeAll(async () => {
    callsBefore = calls().length;
    // Long enough for slow machines: a vault's key exchange key takes a while to be made.
    host = await service.startHost({ settings: { ...settings, KEYFLEET_WAIT_SECONDS: '20' } });
    keymgmt = keymgmtAt({ ...service, vault: vaultOf(host, service.platform.rootToken) }, 'keymgmt');
  });

  // One host at a time has the queue, so that it is known whose environment counted.
  afterAll(() => host.stop());

  test.each(rows)('$name', async ({ name, credentials, vault = publicVault, comesOutAs }) => {
    const id = `${environment}-${name}`
      .toLowerCase()
      .replaceAll(/[^a-z]+/g, '-')
      .replace(/-$/, '');
    const before = calls().length;
    await keymgmt.done('POST', `key/${id}`);
    await keymgmt.done('PUT', `kms/${id}`, providerFields(vault, credentials));
    expect(
      calls()
        .slice(before)
        .filter((call) => call.vault === vault),
    ).toEqual([]);
    const answer = await keymgmt.send('PUT', `kms/${id}/key/${id}`, { purpose: 'sign', protection: 'software' });
    const seen = calls()
      .slice(before)
      .filter((call) => call.vault === vault && call.operation !== 'challenge');
    if (typeof comesOutAs === 'string') {
      expect(answer).toMatchObject({ status: 204 });
      expect(seen.map(({ operation }) => operation)).toContain('import');
      expect([...new Set(seen.map((call) => call.clientId))]).toEqual([comesOutAs]);
    } else {
      expect(errorOf(answer)).toMatch(comesOutAs);
      expect(seen).toEqual([]);
    }
  });

  test('the service itself signs in as itself', () => {
    const home = calls()
      .slice(callsBefore)
      .filter((call) => call.vault === 'keyfleet-home' && call.operation !== 'challenge');
    expect([...new Set(home.map((call) => call.clientId))]).toEqual([serviceIdentity]);
    expect(service.platform.settings.KEYFLEET_IDENTITY_CLIENT_ID).toBe(serviceIdentity);
  });
});

test('a provider without any tenant is refused when it is written', async () => {
  const answer = await service.vault(
    'PUT',
    'keymgmt/kms/no-tenant',
    providerFields(publicVault, { client_id: clientId }),
  );
  expect(errorOf(answer)).toContain('AZURE_TENANT_ID');
});
