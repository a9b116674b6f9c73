import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { queues } from '../../src/local/platform/queues.ts';
import { distributionQueue } from '../../src/messaging/wake-up.ts';
import { blockAfter, propertiesOf, readBicepFiles, readJson, readText, resourcesOf } from './bicep-text.ts';

/** A new resource type or version is written here on purpose, not by accident. */
const apiVersions: Record<string, string> = {
  'Microsoft.Authorization/locks': '2020-05-01',
  'Microsoft.Authorization/roleAssignments': '2022-04-01',
  'Microsoft.Authorization/roleDefinitions': '2022-04-01',
  'Microsoft.Insights/components': '2020-02-02',
  'Microsoft.Insights/diagnosticSettings': '2021-05-01-preview',
  'Microsoft.KeyVault/vaults': '2026-02-01',
  'Microsoft.KeyVault/vaults/keys': '2026-02-01',
  'Microsoft.ManagedIdentity/userAssignedIdentities': '2024-11-30',
  'Microsoft.OperationalInsights/workspaces': '2026-03-01',
  'Microsoft.Resources/resourceGroups': '2025-04-01',
  'Microsoft.ServiceBus/namespaces': '2026-01-01',
  'Microsoft.ServiceBus/namespaces/queues': '2026-01-01',
  'Microsoft.Storage/storageAccounts': '2026-04-01',
  'Microsoft.Web/serverfarms': '2025-03-01',
  'Microsoft.Web/sites': '2025-03-01',
};

/** The built-in roles that the service is granted, what each is granted on, and no others. */
const grants = [
  { role: 'keyVaultCryptoServiceEncryptionUser', id: 'e147488a-f6f5-4113-8e2d-b22465e65bf6', scope: 'rootKey' },
  { role: 'monitoringMetricsPublisher', id: '3913510d-42f4-4e42-8a64-420c390055eb', scope: 'component' },
  { role: 'serviceBusDataReceiver', id: '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0', scope: 'distribution' },
  { role: 'serviceBusDataSender', id: '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39', scope: 'distribution' },
  { role: 'storageBlobDataOwner', id: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b', scope: 'hostAccount' },
  { role: 'storageTableDataContributor', id: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3', scope: 'stateAccount' },
];

const files = readBicepFiles();
const resources = files.flatMap(resourcesOf);
const fileText = (path: string) => files.find((file) => file.path === path)?.text ?? '';
const resource = (symbol: string) =>
  resources.find((candidate) => candidate.symbol === symbol && !candidate.isExisting)?.body ?? '';

describe('Bicep', () => {
  it('uses each resource type in its pinned API version', () => {
    const used = Object.fromEntries(resources.map(({ type, apiVersion }) => [type, apiVersion]));
    expect(used).toEqual(apiVersions);
    for (const { file, symbol, type, apiVersion } of resources) {
      expect(apiVersion, `${file}: ${symbol}`).toBe(apiVersions[type]);
    }
  });

  it('finds every resource it checks', () => {
    const declared = files.flatMap(({ text }) => [...text.matchAll(/^resource /gm)]);
    expect(resources).toHaveLength(declared.length);
  });

  it.each([
    ['module of a registry', /'(br|ts)[:/]/],
    ['account key', /\blist(Keys|AccountSas|ServiceSas)?\w*\(|\.primaryKey|AccountKey=/i],
    ['connection string for the host account', /\bAzureWebJobsStorage:/],
    ['credentials towards target vaults', /AZURE_(CLIENT|TENANT)_(ID|SECRET)/],
    [
      'settings that Flex Consumption refuses',
      /FUNCTIONS_(WORKER_RUNTIME|EXTENSION_VERSION)|WEBSITE_|alwaysOn|linuxFxVersion/,
    ],
  ])('holds no %s', (_what, pattern) => {
    for (const { path, text } of files) expect(text, path).not.toMatch(pattern);
  });

  it('tags everything that can be tagged', () => {
    const located = resources.filter(({ body }) => /^ {2}location:/m.test(body));
    expect(located.length).toBeGreaterThanOrEqual(9);
    for (const { file, symbol, body } of located)
      expect(body, `${file}: ${symbol}`).toMatch(/^ {2}tags: (tags|union\(tags, )/m);
  });

  it('switches local authentication off wherever there is one', () => {
    expect(resource('namespace')).toMatch(/disableLocalAuth: true/);
    expect(resource('workspace')).toMatch(/disableLocalAuth: true/);
    expect(resource('component')).toMatch(/DisableLocalAuth: true/);
    expect(blockAfter(fileText('infra/modules/storage.bicep'), 'var accountProperties')).toMatch(
      /allowSharedKeyAccess: false/,
    );
    for (const account of ['hostAccount', 'stateAccount']) {
      expect(propertiesOf(resource(account))).toMatchObject({ properties: 'accountProperties' });
    }
  });

  it('grants the service its roles, each on the narrowest resource', () => {
    const granted = resources
      .filter(({ type, file }) => type.endsWith('/roleAssignments') && file !== 'infra/target-vault.bicep')
      .map(({ file, body }) => {
        const role = /^ {2}name: guid\(\w+\.id, principalId, (\w+)\)$/m.exec(body)?.[1] ?? '';
        expect(body.match(new RegExp(`\\b${role}\\b`, 'g')), file).toHaveLength(2);
        expect(body).toMatch(/principalType: 'ServicePrincipal'/);
        const id = new RegExp(`^var ${role} = '(.*)'$`, 'm').exec(fileText(file))?.[1];
        return { role, id, scope: propertiesOf(body)['scope'] };
      });
    expect(granted.sort((a, b) => a.role.localeCompare(b.role))).toEqual(grants);
  });

  it('lets target vaults grant five actions on keys and nothing else', () => {
    const role = resource('keyDistributor');
    expect([...role.matchAll(/'(Microsoft\.[^']*)'/g)].map((match) => match[1])).toEqual([
      'Microsoft.KeyVault/vaults/keys/create/action',
      'Microsoft.KeyVault/vaults/keys/delete',
      'Microsoft.KeyVault/vaults/keys/import/action',
      'Microsoft.KeyVault/vaults/keys/read',
      'Microsoft.KeyVault/vaults/keys/update/action',
    ]);
    expect(role).toMatch(/ actions: \[\]/);
    expect(propertiesOf(resource('distributesKeys'))['scope']).toBe('vault');
  });

  it('makes the queue that messages are sent to', () => {
    const queue = resource('distribution');
    expect(propertiesOf(queue)['name']).toBe(distributionQueue);
    expect(propertiesOf(blockAfter(queue, 'properties:'))).toEqual({
      requiresSession: 'true',
      requiresDuplicateDetection: 'true',
      duplicateDetectionHistoryTimeWindow: 'PT10M',
      lockDuration: 'PT1M',
      maxDeliveryCount: '5',
      defaultMessageTimeToLive: 'P7D',
      deadLetteringOnMessageExpiration: 'true',
      enableBatchedOperations: 'true',
      enablePartitioning: 'false',
      maxSizeInMegabytes: '1024',
    });
  });

  it('makes the queue as it is on one machine', () => {
    const [queue, ...others] = queues;
    expect(others).toEqual([]);
    const inAzure = propertiesOf(blockAfter(resource('distribution'), 'properties:'));
    const { name, ...properties } = queue ?? { name: '' };
    expect(propertiesOf(resource('distribution'))['name']).toBe(name);
    const seconds = (duration = '') => {
      const match = /^P(?:(\d+)D)?(?:T(?:(\d+)M)?)?$/.exec(duration);
      expect(match, duration).not.toBeNull();
      return Number(match?.[1] ?? 0) * 86_400 + Number(match?.[2] ?? 0) * 60;
    };
    expect(properties).toEqual({
      requiresSession: inAzure['requiresSession'] === 'true',
      requiresDuplicateDetection: inAzure['requiresDuplicateDetection'] === 'true',
      duplicateDetectionHistoryTimeWindowSeconds: seconds(inAzure['duplicateDetectionHistoryTimeWindow']),
      lockDurationSeconds: seconds(inAzure['lockDuration']),
      maxDeliveryCount: Number(inAzure['maxDeliveryCount']),
      defaultMessageTimeToLiveSeconds: seconds(inAzure['defaultMessageTimeToLive']),
      deadLetteringOnMessageExpiration: inAzure['deadLetteringOnMessageExpiration'] === 'true',
    });
    // Whatever else is said in Azure has no counterpart here: it is about throughput and size alone.
    const here = [
      'requiresSession',
      'requiresDuplicateDetection',
      'duplicateDetectionHistoryTimeWindow',
      'lockDuration',
    ];
    const alsoHere = ['maxDeliveryCount', 'defaultMessageTimeToLive', 'deadLetteringOnMessageExpiration'];
    const withoutCounterpart = Object.keys(inAzure).filter((property) => ![...here, ...alsoHere].includes(property));
    expect(withoutCounterpart).toEqual(['enableBatchedOperations', 'enablePartitioning', 'maxSizeInMegabytes']);
  });

  it('makes a root key that can only wrap and unwrap, in a vault that cannot be purged', () => {
    expect(propertiesOf(blockAfter(resource('rootKey'), 'properties:'))).toMatchObject({
      kty: 'RSA-HSM',
      keySize: '3072',
      keyOps: `['wrapKey', 'unwrapKey']`,
    });
    expect(blockAfter(resource('rootKey'), 'attributes:')).toMatch(/exportable: false/);
    expect(propertiesOf(blockAfter(resource('vault'), 'properties:'))).toMatchObject({
      enableRbacAuthorization: 'true',
      enablePurgeProtection: 'true',
    });
    expect(resource('vault')).toMatch(/name: 'premium'/);
  });

  it('runs the Node version that the package asks for', () => {
    const runtime = propertiesOf(blockAfter(resource('app'), 'runtime:'));
    const { engines } = z.object({ engines: z.object({ node: z.string() }) }).parse(readJson('package.json'));
    expect(runtime).toEqual({ name: 'node', version: '24' });
    expect(engines.node).toBe(`>=${runtime['version']}`);
  });
});

describe('settings', () => {
  const inAzure = propertiesOf(blockAfter(fileText('infra/modules/function-app.bicep'), 'var settings'));
  const sample = z
    .strictObject({ IsEncrypted: z.literal(false), Values: z.record(z.string(), z.string()) })
    .parse(readJson('local.settings.sample.json')).Values;

  it('are the same in Azure and in the sample for Core Tools', () => {
    const { FUNCTIONS_WORKER_RUNTIME: runtime, ...shared } = sample;
    expect(runtime).toBe('node');
    expect(Object.keys(shared).sort()).toEqual(Object.keys(inAzure).sort());
  });

  it('name the service, its state, its queue and its home vault', () => {
    expect(Object.keys(inAzure)).toEqual(
      expect.arrayContaining([
        'KEYFLEET_TENANT_ID',
        'KEYFLEET_IDENTITY_CLIENT_ID',
        'KEYFLEET_TABLES_ENDPOINT',
        'KEYFLEET_HOME_VAULT_URI',
        'KEYFLEET_ROOT_KEY_NAME',
        'ServiceBus__fullyQualifiedNamespace',
        'ServiceBus__credential',
        'ServiceBus__clientId',
      ]),
    );
  });

  it('hold no value of a real deployment in the sample', () => {
    const fixed = new Set(['node', 'managedidentity', 'keyfleet-root', '{}']);
    for (const [name, value] of Object.entries(sample)) {
      expect(fixed.has(value) || /<[a-zA-Z ]+>/.test(value), name).toBe(true);
    }
    expect(sample['KEYFLEET_ROOT_KEY_NAME']).toBe(propertiesOf(resource('rootKey'))['name']);
  });
});

describe('host.json', () => {
  const host = z
    .object({
      version: z.literal('2.0'),
      extensionBundle: z.object({ version: z.literal('[4.*, 5.0.0)') }),
      functionTimeout: z.string(),
      extensions: z.strictObject({
        http: z.strictObject({
          routePrefix: z.string(),
          hsts: z.object({ isEnabled: z.literal(true) }),
          customHeaders: z.record(z.string(), z.string()),
        }),
        serviceBus: z.record(z.string(), z.unknown()),
      }),
    })
    .parse(readJson('host.json'));

  it('serves Vault paths, and no answer may be cached or sniffed', () => {
    expect(host.extensions.http.routePrefix).toBe('');
    expect(host.extensions.http.customHeaders).toEqual({
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    });
  });

  it('renews a message lock for as long as a function may run', () => {
    expect(host.functionTimeout).toBe('00:10:00');
    expect(host.extensions.serviceBus).toEqual({
      autoCompleteMessages: true,
      maxAutoLockRenewalDuration: host.functionTimeout,
      maxConcurrentCalls: 8,
      maxConcurrentSessions: 16,
      prefetchCount: 0,
      sessionIdleTimeout: '00:00:00.2',
    });
  });

  it('leaves HTTP streaming and OpenTelemetry off', () => {
    expect(readText('host.json')).not.toMatch(/stream|telemetryMode/i);
  });
});

describe('azd', () => {
  it('finds the app by the name of the service', () => {
    expect(readText('azure.yaml')).toMatch(/^services:\n {2}api:\n/m);
    expect(resource('app')).toMatch(/'azd-service-name': 'api'/);
    expect(fileText('infra/main.bicep')).toMatch(/'azd-env-name': environmentName/);
  });

  it('is given a value for every parameter', () => {
    const { parameters } = z
      .object({ parameters: z.record(z.string(), z.object({ value: z.union([z.string(), z.object({})]) })) })
      .parse(readJson('infra/main.parameters.json'));
    const declared = [...fileText('infra/main.bicep').matchAll(/^param (\w+) /gm)].map((match) => match[1]);
    expect(Object.keys(parameters).sort()).toEqual(declared.sort());
  });

  it('packages what the Functions host loads and nothing else', () => {
    const { main } = z.object({ main: z.string() }).parse(readJson('package.json'));
    const ignored = readText('.funcignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    // Core Tools takes an entry for the beginning of a path.
    for (const kept of [main, 'host.json', 'package.json']) {
      expect(ignored.filter((entry) => !entry.includes('*') && `/${kept}`.startsWith(entry))).toEqual([]);
    }
    expect(ignored).toEqual(
      expect.arrayContaining(['/src', '/test', '/infra', '/local.settings.json', '/node_modules/*']),
    );
    // azd takes this for a request to build remotely, and refuses remoteBuild: false beside it.
    expect(ignored).not.toContain('/node_modules');
    expect(readText('azure.yaml')).toMatch(/remoteBuild: false/);
  });
});
