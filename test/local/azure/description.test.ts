import { describe, expect, test } from 'vitest';
import { defaultDescription } from '../../../src/local/azure/defaults.ts';
import type { AzureDescription } from '../../../src/local/azure/description.ts';
import { resolveDescription } from '../../../src/local/azure/resolve.ts';

const resolve = (description: unknown) => resolveDescription(description as AzureDescription);

describe('a description that Azure would refuse', () => {
  test.each([
    ['no object', [], 'the description: '],
    ['a member that there is not', { vault: [] }, 'the description: Unrecognized key: "vault"'],
    ['a SKU that there is not', { vaults: [{ name: 'one-vault', sku: 'basic' }] }, 'vaults[0].sku: '],
    ['a name of a vault', { vaults: [{ name: 'one--vault' }] }, 'vaults[0].name: a vault has 3 to 24 letters'],
    [
      'a retention',
      { vaults: [{ name: 'one-vault', softDeleteRetentionDays: 6 }] },
      'vaults[0].softDeleteRetentionDays',
    ],
    ['a cloud that there is not', { vaults: [{ name: 'one-vault', cloud: 'Mars' }] }, 'vaults[0].cloud: '],
    [
      'a domain and a cloud',
      { vaults: [{ name: 'one-vault', cloud: 'AzureChinaCloud', dnsSuffix: 'kv.localhost' }] },
      'vaults[0]: either cloud or dnsSuffix',
    ],
    ['a domain of others', { vaults: [{ name: 'one-vault', dnsSuffix: 'vault.azure.net' }] }, 'vaults[0].dnsSuffix: '],
    [
      'a permission that there is not',
      {
        managedIdentities: [{ name: 'me' }],
        vaults: [{ name: 'one-vault', access: { model: 'access-policy', grants: { me: { keys: ['fly'] } } } }],
      },
      "vaults[0].access.grants.me: 'fly' isn't a permission on keys.",
    ],
    [
      'a role that there is not',
      { vaults: [{ name: 'one-vault', access: { model: 'rbac', grants: { me: { roles: ['Key Vault Owner'] } } } }] },
      "vaults[0].access.grants.me: No built-in Key Vault role has the id or name 'Key Vault Owner'.",
    ],
    [
      'a grant to nobody',
      { vaults: [{ name: 'one-vault', access: { model: 'rbac', grants: { me: { roles: [] } } } }] },
      'vaults[0].access.grants.me: no application or identity has this name',
    ],
    [
      'a grant of the other model',
      { vaults: [{ name: 'one-vault', access: { model: 'rbac', grants: { me: { keys: ['get'] } } } }] },
      'vaults[0].access.grants.me: Unrecognized key: "keys"',
    ],
    ['a queue without name', { queues: [{}] }, 'queues[0].name: '],
    ['a name of a queue', { queues: [{ name: '-' }] }, "queues[0]: '-' is no name for an entity."],
    [
      'too long a lock',
      { queues: [{ name: 'a', lockDurationSeconds: 301 }] },
      'queues[0]: lockDurationSeconds must be',
    ],
    [
      'a subscription with a property of queues',
      { topics: [{ name: 'a', subscriptions: [{ name: 'b', maxMessageSizeBytes: 1 }] }] },
      'topics[0].subscriptions[0]: Unrecognized key',
    ],
    [
      'a queue and a topic of one name',
      { queues: [{ name: 'a' }], topics: [{ name: 'A', subscriptions: [] }] },
      "topics[0].name: 'A' is there already",
    ],
    [
      'an application and an identity of one name',
      { applications: [{ name: 'a' }], managedIdentities: [{ name: 'a' }] },
      "managedIdentities[0].name: 'a' is there already",
    ],
    [
      'a tenant that there is not',
      { applications: [{ name: 'a', tenantId: '11111111-2222-3333-4444-555555555555' }] },
      'applications[0].tenantId: there is no tenant',
    ],
    ['an id that is none', { tenants: ['contoso'] }, 'tenants[0]: '],
    ['a secret that is none', { applications: [{ name: 'a', secrets: [7] }] }, 'applications[0].secrets[0]: '],
    [
      'a time that is none',
      { applications: [{ name: 'a', secrets: [{ value: 's', expiresAt: 'soon' }] }] },
      'applications[0].secrets[0]',
    ],
    [
      'a role in a queue that there is not',
      {
        applications: [{ name: 'a' }],
        messagingRoles: [{ principal: 'a', role: 'Azure Service Bus Data Sender', entity: 'q' }],
      },
      "messagingRoles[0].entity: there is no queue or topic 'q'",
    ],
    [
      'a role of nobody',
      { messagingRoles: [{ principal: 'a', role: 'Azure Service Bus Data Sender' }] },
      'messagingRoles[0].principal: ',
    ],
    ['a port that is none', { ports: { tables: 65_536 } }, 'ports.tables: '],
  ])('is refused with the path: %s', (_what, description, line) => {
    expect(() => resolve(description)).toThrow(line);
  });

  test('is told everything that is wrong at once', () => {
    const wrong = () => resolve({ queues: [{ name: '-' }], ports: { tables: -1 } });
    expect(wrong).toThrow(/^queues\[0\]: .*\nports\.tables: .*$/);
  });
});

describe('what a description leaves open', () => {
  test('ids follow from names and are the same every time', () => {
    const ids = () => resolve({ applications: [{ name: 'a' }, { name: 'b' }] }).applications;
    expect(ids()).toEqual(ids());
    const all = [...ids().values()].flatMap(({ clientId, objectId }) => [clientId, objectId]);
    expect(new Set(all).size).toBe(4);
    for (const id of all) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test('everybody may do everything', () => {
    const { applications, vaults, authorize } = resolve(defaultDescription);
    const app = applications.get('app');
    if (!app) throw new Error('there is no application');
    expect(vaults[0]?.access.grants).toHaveProperty(app.objectId);
    expect(authorize(app, 'queue', 'manage')).toBe(true);
  });

  test('an identity header is a secret of its own', () => {
    const headers = () => resolve({ managedIdentities: [{ name: 'a' }, { name: 'b' }] }).managedIdentities;
    const all = [...headers().values(), ...headers().values()].map(({ identityHeader }) => identityHeader);
    expect(new Set(all).size).toBe(4);
  });
});

test.each([
  ['sender', 'in', 'send', true],
  ['sender', 'in', 'listen', false],
  ['sender', 'out', 'send', false],
  ['receiver', 'out/Subscriptions/all', 'listen', true],
  ['receiver', 'output', 'listen', false],
  ['receiver', 'out', 'send', false],
  ['owner', 'in', 'manage', true],
  ['nobody', 'in', 'listen', false],
] as const)('with roles, %s on %s may %s: %s', (principal, entity, right, expected) => {
  const names = ['sender', 'receiver', 'owner', 'nobody'];
  const { applications, authorize } = resolve({
    applications: names.map((name) => ({ name })),
    queues: [{ name: 'in' }, { name: 'output' }],
    topics: [{ name: 'out', subscriptions: [{ name: 'all' }] }],
    messagingRoles: [
      { principal: 'sender', role: 'Azure Service Bus Data Sender', entity: 'in' },
      { principal: 'receiver', role: 'Azure Service Bus Data Receiver', entity: 'out' },
      { principal: 'owner', role: 'Azure Service Bus Data Owner' },
    ],
  });
  const caller = applications.get(principal);
  expect(caller && authorize(caller, entity, right)).toBe(expected);
});
