import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { TableClient } from '@azure/data-tables';
import { ClientSecretCredential } from '@azure/identity';
import type { TokenCredential } from '@azure/identity';
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys';
import { ServiceBusClient } from '@azure/service-bus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Platform } from '../../../src/local/platform/index.ts';
import { providerApplication, startPlatform, tenantId } from '../../../src/local/platform/index.ts';
import { createRsaKeys } from '../../support/rsa-keys.ts';

const clientOptions = { retryOptions: { maxRetries: 0 } };
let platform: Platform;
let seeded: string | undefined;

beforeAll(async () => {
  platform = await startPlatform({
    vaults: [
      { name: 'learn-keyvault', sku: 'premium' },
      { name: 'standard-keyvault', sku: 'standard' },
      { name: 'gov-keyvault', sku: 'premium', cloud: 'AzureUSGovernmentCloud' },
      { name: 'closed-keyvault', sku: 'premium', access: { [providerApplication.objectId]: { keys: ['get'] } } },
    ],
    rootToken: 'token of the test',
    settings: { KEYFLEET_WAIT_SECONDS: '1' },
    seed: async ({ rootToken }) => {
      seeded = rootToken;
    },
    vaultBehaviour: { generateRsaKey: createRsaKeys() },
  });
});

afterAll(() => platform.stop());

const clouds = () =>
  JSON.parse(platform.settings.KEYFLEET_CLOUDS ?? '') as Record<
    string,
    { authorityHost: string; keyVaultDnsSuffix: string }
  >;

/** A client as the service has it: challenge verification stays on. */
function vaultClient(name: string, credential: TokenCredential, cloud = 'AzurePublicCloud'): KeyClient {
  return new KeyClient(`https://${name}.${clouds()[cloud]?.keyVaultDnsSuffix}`, credential, clientOptions);
}

function applicationCredential(cloud = 'AzurePublicCloud'): TokenCredential {
  const { authorityHost = '' } = clouds()[cloud] ?? {};
  return new ClientSecretCredential(tenantId, providerApplication.clientId, 'eR%HizuCVEpAKgeaUEx', {
    authorityHost,
    disableInstanceDiscovery: true,
  });
}

describe('vaults', () => {
  it.each([
    ['the service', () => platform.serviceCredential],
    ['the application', () => applicationCredential()],
  ])('give %s exactly create, delete, get, import and update', async (_who, credential) => {
    const client = vaultClient('standard-keyvault', credential());
    const name = `key-${Math.random().toString(36).slice(2)}`;
    const { id = '' } = await client.createKey(name, 'EC');
    await client.getKey(name);
    await client.updateKeyProperties(name, { enabled: true });
    const forbidden = { statusCode: 403 };
    await expect(client.listPropertiesOfKeys().next()).rejects.toMatchObject(forbidden);
    await expect(client.getDeletedKey(name)).rejects.toMatchObject({ statusCode: 404 });
    await expect(client.purgeDeletedKey(name)).rejects.toMatchObject(forbidden);
    const signing = new CryptographyClient(id, credential(), clientOptions).sign('ES256', Buffer.alloc(32));
    await expect(signing).rejects.toMatchObject(forbidden);
    await client.beginDeleteKey(name);
  });

  it('give the developer everything, at addresses that need no resolver', async () => {
    const client = new KeyClient(platform.vaults.get('learn-keyvault') ?? '', platform.developer.credential, {
      disableChallengeResourceVerification: true,
    });
    await client.createKey('of-the-developer', 'EC-HSM');
    const names = [];
    for await (const { name } of client.listPropertiesOfKeys()) names.push(name);
    expect(names).toContain('of-the-developer');
  });

  it('have the SKU that was asked for', async () => {
    const create = vaultClient('standard-keyvault', platform.serviceCredential).createKey('hsm', 'EC-HSM');
    await expect(create).rejects.toMatchObject({ statusCode: 400 });
  });

  it('can give a principal something else', async () => {
    const client = vaultClient('closed-keyvault', applicationCredential());
    await expect(client.createKey('key', 'EC')).rejects.toMatchObject({ statusCode: 403 });
    await expect(client.getKey('key')).rejects.toMatchObject({ statusCode: 404 });
  });

  it('have an authority and a domain of their own in each cloud', async () => {
    const client = vaultClient(
      'gov-keyvault',
      applicationCredential('AzureUSGovernmentCloud'),
      'AzureUSGovernmentCloud',
    );
    const { id } = await client.createKey('key', 'EC');
    expect(new URL(id ?? '').hostname).toBe('gov-keyvault.vault.usgov.localhost');
    expect(new Set(Object.values(clouds()).map(({ authorityHost }) => authorityHost)).size).toBe(4);
  });

  it.each(['missing-keyvault', 'gov-keyvault'])('have no address as %s in the public cloud', async (name) => {
    const client = vaultClient(name, platform.serviceCredential);
    await expect(client.getKey('key')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });
});

describe('the home vault', () => {
  it('lets the service wrap and unwrap with the root key, and nothing more', async () => {
    const home = new KeyClient(platform.settings.KEYFLEET_HOME_VAULT_URI ?? '', platform.serviceCredential);
    const { id = '', keyType, keyOperations, key } = await home.getKey('keyfleet-root');
    expect({ keyType, keyOperations, bits: (key?.n?.length ?? 0) * 8 }).toEqual({
      keyType: 'RSA-HSM',
      keyOperations: ['wrapKey', 'unwrapKey'],
      bits: 3072,
    });
    const cryptography = new CryptographyClient(id, platform.serviceCredential, clientOptions);
    const { result } = await cryptography.wrapKey('RSA-OAEP-256', Buffer.from('data key'));
    const unwrapped = await cryptography.unwrapKey('RSA-OAEP-256', result);
    expect(Buffer.from(unwrapped.result).toString()).toBe('data key');
    await expect(home.createKey('another', 'EC')).rejects.toMatchObject({ statusCode: 403 });
    await expect(home.updateKeyProperties('keyfleet-root', { enabled: false })).rejects.toMatchObject({
      statusCode: 403,
    });
  });

  it.each([
    ['the application', () => applicationCredential()],
    ['the developer', () => platform.developer.credential],
  ])('is closed to %s, and not among the vaults', async (_who, credential) => {
    const home = new KeyClient(platform.settings.KEYFLEET_HOME_VAULT_URI ?? '', credential());
    await expect(home.getKey('keyfleet-root')).rejects.toMatchObject({ statusCode: 403 });
    expect([...platform.vaults.keys()]).not.toContain('keyfleet-home');
  });
});

describe('messages and state', () => {
  it('take the service on its queue, and the developer', async () => {
    const service = new ServiceBusClient(
      platform.settings.ServiceBus__fullyQualifiedNamespace ?? '',
      platform.serviceCredential,
    );
    const developer = new ServiceBusClient(platform.serviceBus, platform.developer.credential);
    try {
      await service
        .createSender('distribution')
        .sendMessages({ body: { look: 'here' }, sessionId: 'one', messageId: 'a' });
      const receiver = await developer.acceptSession('distribution', 'one');
      const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 2_000 });
      expect(message?.body).toEqual({ look: 'here' });
      if (message) await receiver.completeMessage(message);
    } finally {
      await Promise.all([service.close(), developer.close()]);
    }
  });

  it('refuse the application on the queue', async () => {
    const client = new ServiceBusClient(platform.serviceBus, applicationCredential(), {
      retryOptions: { maxRetries: 0, timeoutInMs: 2_000 },
    });
    try {
      const sending = client.createSender('distribution').sendMessages({ body: 1, sessionId: 'one' });
      await expect(sending).rejects.toMatchObject({ code: 'UnauthorizedAccess' });
    } finally {
      await client.close();
    }
  });

  it('keep entities', async () => {
    const table = new TableClient(platform.tables, 'sometable', platform.serviceCredential);
    await table.createTable();
    await table.createEntity({ partitionKey: 'p', rowKey: 'r' });
    expect(await table.getEntity('p', 'r')).toMatchObject({ rowKey: 'r' });
  });
});

describe('the app', () => {
  it('finds the platform by its settings alone, in a process of its own', async () => {
    const script = `
      import { ManagedIdentityCredential } from '@azure/identity';
      import { KeyClient } from '@azure/keyvault-keys';
      const { KEYFLEET_IDENTITY_CLIENT_ID: clientId, KEYFLEET_HOME_VAULT_URI: uri } = process.env;
      const client = new KeyClient(uri, new ManagedIdentityCredential({ clientId }));
      console.log((await client.getKey(process.env.KEYFLEET_ROOT_KEY_NAME)).id);`;
    const root = fileURLToPath(new URL('../../..', import.meta.url));
    const preload = `${root}/src/local/loopback-names-preload.ts`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', preload, '--input-type=module', '-e', script],
      { cwd: root, env: { ...platform.settings } },
    );
    expect(stdout).toMatch(new RegExp(`^${platform.settings.KEYFLEET_HOME_VAULT_URI}/keys/keyfleet-root/[0-9a-f]{32}`));
  });

  it('runs in several hosts side by side, with settings of their own', async () => {
    const [all, one] = await Promise.all([
      platform.startHost(),
      platform.startHost({ settings: { AzureWebJobsDisableHomepage: 'true' } }),
    ]);
    expect(all.functions.map(({ trigger }) => trigger)).toContain('httpTrigger');
    const [allHealth, oneHealth] = await Promise.all([all, one].map(({ url }) => fetch(`${url}/v1/sys/health`)));
    expect([allHealth?.status, oneHealth?.status]).toEqual([200, 200]);

    const [disabledFunction] = all.functions;
    const without = await platform.startHost({ disabledFunctions: [disabledFunction?.name ?? ''] });
    expect(without.functions).toHaveLength(all.functions.length - 1);
    expect(without.functions).not.toContainEqual(disabledFunction);
    await Promise.all([all.stop(), one.stop(), without.stop()]);
  });
});

describe('startPlatform', () => {
  it('seeds before it returns, and adds the settings it was given', () => {
    expect(seeded).toBe('token of the test');
    expect(platform.settings.KEYFLEET_WAIT_SECONDS).toBe('1');
  });

  it('leaves nothing behind after it stops', async () => {
    const other = await startPlatform({ vaults: [], vaultBehaviour: { generateRsaKey: createRsaKeys() } });
    expect(existsSync(other.caFile)).toBe(true);
    await other.stop();
    expect(existsSync(other.caFile)).toBe(false);
    await expect(fetch(other.entra.authorityHost)).rejects.toThrow();
    await expect(fetch(other.tables)).rejects.toThrow();
    await expect(vaultClient('learn-keyvault', platform.serviceCredential).getKey('none')).rejects.toMatchObject({
      statusCode: 404,
    });
  });

  it.each(['entra', 'identity', 'keyVault', 'serviceBus', 'tables'])(
    'says that the port for %s is taken, and runs nothing then',
    async (which) => {
      const occupant = createServer();
      await new Promise<void>((resolve) => occupant.listen(0, '127.0.0.1', resolve));
      const { port } = occupant.address() as AddressInfo;
      let stopped = true;
      const start = startPlatform({ ports: { [which]: port }, seed: async () => void (stopped = false) });
      await expect(start).rejects.toThrow(new RegExp(`EADDRINUSE.*:${port}`));
      expect(stopped).toBe(true);
      occupant.close();
    },
  );
});
