import { TableClient } from '@azure/data-tables';
import { ClientAssertionCredential, ClientSecretCredential, ManagedIdentityCredential } from '@azure/identity';
import { KeyClient } from '@azure/keyvault-keys';
import { SecretClient } from '@azure/keyvault-secrets';
import { ServiceBusClient } from '@azure/service-bus';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFaults, startAzure, type Azure } from '../../../src/local/azure/index.ts';

const tenantId = '22222222-3333-4444-8555-666666666666';
const otherTenantId = '33333333-4444-4555-8666-777777777777';
const noRetries = { retryOptions: { maxRetries: 0 } };

let azure: Azure;
let offsetMilliseconds = 0;

beforeAll(async () => {
  azure = await startAzure(
    {
      tenants: [tenantId, otherTenantId],
      applications: [
        {
          name: 'writer',
          secrets: ['writes', { value: 'too late', expiresAt: '2020-01-01T00:00:00Z' }],
          appRoles: { 'api://orders': ['Order.Write'] },
        },
        { name: 'outsider', tenantId: otherTenantId, secrets: ['out'] },
      ],
      managedIdentities: [
        { name: 'reader' },
        { name: 'assigned', kind: 'user-assigned', identityHeader: 'header of the test' },
      ],
      resources: ['api://orders'],
      vaults: [
        {
          name: 'granted',
          dnsSuffix: 'vault.contoso.localhost',
          softDeleteRetentionDays: 7,
          access: {
            model: 'rbac',
            grants: {
              writer: { roles: ['Key Vault Secrets Officer'] },
              reader: { dataActions: ['Microsoft.KeyVault/vaults/secrets/getSecret/action'] },
            },
          },
        },
        { name: 'busy', sku: 'standard', throttling: { retryAfterSeconds: 3, limits: { other: 1 } } },
        { name: 'idle' },
        { name: 'german', cloud: 'AzureGermanCloud', tenantId: otherTenantId },
      ],
      queues: [{ name: 'orders', requiresSession: true, lockDurationSeconds: 30 }],
      topics: [{ name: 'events', subscriptions: [{ name: 'urgent', correlationFilter: { subject: 'urgent' } }] }],
      messagingRoles: [
        { principal: 'writer', role: 'Azure Service Bus Data Sender' },
        { principal: 'reader', role: 'Azure Service Bus Data Receiver', entity: 'orders' },
        { principal: 'reader', role: 'Azure Service Bus Data Receiver', entity: 'events' },
      ],
    },
    { now: () => new Date(Date.now() + offsetMilliseconds) },
  );
});
afterAll(() => azure.stop());

const secretsOf = (vault: string, who: string, options = {}) =>
  new SecretClient(azure.addresses.vaults[vault]?.uri ?? '', azure.credential(who), { ...noRetries, ...options });

describe('vaults', () => {
  test('have the domain and the grants that were described; challenge verification stays on', async () => {
    const { id } = (await secretsOf('granted', 'writer').setSecret('word', 'v')).properties;
    expect(new URL(id ?? '').hostname).toBe('granted.vault.contoso.localhost');
    expect((await secretsOf('granted', 'reader').getSecret('word')).value).toBe('v');
    await expect(secretsOf('granted', 'reader').setSecret('word', 'w')).rejects.toMatchObject({ statusCode: 403 });
  });

  test('belong to a tenant', async () => {
    await secretsOf('german', 'outsider').setSecret('word', 'v');
    await expect(secretsOf('german', 'writer').getSecret('word')).rejects.toMatchObject({ statusCode: 401 });
  });

  test('throttle one by one', async () => {
    const read = (vault: string) => secretsOf(vault, 'writer').getSecret('absent');
    await expect(read('busy')).rejects.toMatchObject({ statusCode: 404 });
    await expect(read('busy')).rejects.toMatchObject({ statusCode: 429 });
    await expect(read('idle')).rejects.toMatchObject({ statusCode: 404 });
    await expect(read('idle')).rejects.toMatchObject({ statusCode: 404 });
  });

  test('are at a port of their own for clients that resolve no names', async () => {
    const { url = '' } = azure.addresses.vaults.idle ?? {};
    const keys = new KeyClient(url, azure.credential('writer'), { disableChallengeResourceVerification: true });
    expect((await keys.createKey('key', 'EC')).id).toMatch(/^https:\/\/localhost:\d+\/keys\/key\//);
  });

  test('go by the clock that was given', async () => {
    const clients = { past: secretsOf('idle', 'writer') };
    await clients.past.setSecret('old', 'v');
    offsetMilliseconds = 100 * 86_400_000;
    const { properties } = await clients.past.setSecret('new', 'v');
    offsetMilliseconds = 0;
    expect((properties.createdOn?.getTime() ?? 0) - Date.now()).toBeGreaterThan(99 * 86_400_000);
  });
});

describe('identities', () => {
  const byHeader = (name: string): void => {
    Object.assign(process.env, azure.environment(name));
  };

  test('are behind the endpoint and the header that the environment has', async () => {
    byHeader('assigned');
    const { clientId = '' } = azure.addresses.managedIdentities.assigned ?? {};
    expect(azure.environment('assigned')).toMatchObject({
      IDENTITY_HEADER: 'header of the test',
      AZURE_CLIENT_ID: clientId,
    });
    const { token } = await new ManagedIdentityCredential({ clientId }).getToken('https://storage.azure.com/.default');
    expect(decodeJwt(token)).toMatchObject({ appid: clientId, tid: tenantId });
    expect(azure.environment('reader')).not.toHaveProperty('AZURE_CLIENT_ID');
  });

  test('of applications sign in with their secrets while these last, and carry their roles', async () => {
    const { authorityHost, applications } = azure.addresses;
    const { clientId = '' } = applications.writer ?? {};
    const signIn = (secret: string) =>
      new ClientSecretCredential(tenantId, clientId, secret, {
        authorityHost,
        disableInstanceDiscovery: true,
      }).getToken('api://orders/.default');
    expect(decodeJwt((await signIn('writes')).token)).toMatchObject({ roles: ['Order.Write'], ver: '2.0' });
    await expect(signIn('too late')).rejects.toThrow('AADSTS7000222');
    const assertion = new ClientAssertionCredential(tenantId, clientId, async () => 'not a token', {
      authorityHost,
      disableInstanceDiscovery: true,
    });
    await expect(assertion.getToken('api://orders/.default')).rejects.toThrow('AADSTS');
  });

  test('that were not described are not there', () => {
    expect(() => azure.credential('stranger')).toThrow(RangeError);
    expect(() => azure.environment('writer')).toThrow(RangeError);
  });
});

describe('messages', () => {
  const connect = (who: string) => new ServiceBusClient(azure.addresses.serviceBus, azure.credential(who), noRetries);

  test('go through queues and topics as described, for those who may', async () => {
    await using stack = new AsyncDisposableStack();
    const [writer, reader] = ['writer', 'reader'].map((who) => {
      const client = connect(who);
      stack.defer(() => client.close());
      return client;
    });
    if (!writer || !reader) throw new Error('no clients');
    await writer.createSender('orders').sendMessages({ body: 1, sessionId: 'a' });
    await writer.createSender('events').sendMessages([{ body: 2 }, { body: 3, subject: 'urgent' }]);
    const session = await reader.acceptSession('orders', 'a');
    expect((await session.receiveMessages(1)).map(({ body }) => body as number)).toEqual([1]);
    expect(azure.serviceBus.queue('events/Subscriptions/urgent').messages()).toMatchObject([{ body: 3 }]);
    await expect(reader.createSender('orders').sendMessages({ body: 4, sessionId: 'a' })).rejects.toMatchObject({
      code: 'UnauthorizedAccess',
    });
  });
});

test('tables take a token', async () => {
  const table = new TableClient(azure.addresses.tables, 'things', azure.credential('reader'));
  await table.createTable();
  await table.createEntity({ partitionKey: 'p', rowKey: 'r' });
  expect(await table.getEntity('p', 'r')).toMatchObject({ rowKey: 'r' });
});

test('a port that is taken is said, and nothing is left running', async () => {
  const port = azure.keyVault.port;
  await expect(startAzure({ vaults: [{ name: 'other', port }] })).rejects.toThrow('EADDRINUSE');
});

test('an Azure with nothing in it starts, with faults of its own', async () => {
  const faults = createFaults();
  const empty = await startAzure({}, { faults });
  expect(empty.addresses).toMatchObject({ applications: {}, managedIdentities: {}, vaults: {} });
  expect(empty.faults).toBe(faults);
  await empty.stop();
});
