import { expect, test } from 'vitest';
import { readSettings } from '../src/settings.ts';

const enough = {
  KEYFLEET_TABLES_ENDPOINT: 'https://state.table.core.windows.net',
  KEYFLEET_HOME_VAULT_URI: 'https://home.vault.azure.net',
  ServiceBus__fullyQualifiedNamespace: 'bus.servicebus.windows.net',
};

test('callers need no setting to be thought of, and nothing is guessed for them', () => {
  const unset = { tenantId: undefined, audience: undefined, cloudName: 'AzurePublicCloud', requestsPerSecond: 500 };
  expect(readSettings(enough)).toMatchObject(unset);
  // What a template wasn't given it sets to nothing.
  expect(readSettings({ ...enough, KEYFLEET_TENANT_ID: '', KEYFLEET_AUDIENCE: '' })).toMatchObject(unset);
});

test('callers are of the tenant and for the audience that are set', () => {
  const tenantId = 'cd4bf224-d114-4f96-9bbc-b8f45751c43f';
  const set = { ...enough, KEYFLEET_TENANT_ID: tenantId, KEYFLEET_AUDIENCE: 'api', KEYFLEET_REQUESTS_PER_SECOND: '50' };
  expect(readSettings(set)).toMatchObject({ tenantId, audience: 'api', requestsPerSecond: 50 });
});

test('no key pairs are made in advance unless a setting says how many', () => {
  expect(readSettings(enough).keyPool).toEqual({});
  expect(readSettings({ ...enough, KEYFLEET_KEY_POOL: '' }).keyPool).toEqual({});
  const keyPool = { 'rsa-2048': 20_000, 'rsa-4096': 0 };
  expect(readSettings({ ...enough, KEYFLEET_KEY_POOL: JSON.stringify(keyPool) }).keyPool).toEqual(keyPool);
});

test.each<[string, string]>([
  ['KEYFLEET_TENANT_ID', 'contoso.onmicrosoft.com'],
  ['KEYFLEET_TENANT_ID', 'common'],
  ['KEYFLEET_REQUESTS_PER_SECOND', '0'],
  ['KEYFLEET_REQUESTS_PER_SECOND', 'many'],
  ['KEYFLEET_KEY_POOL', '50'],
  ['KEYFLEET_KEY_POOL', '{"rsa-1024":50}'],
  ['KEYFLEET_KEY_POOL', '{"rsa-2048":"50"}'],
  ['KEYFLEET_KEY_POOL', '{"rsa-2048":-1}'],
  ['KEYFLEET_KEY_POOL', '{"rsa-2048":1.5}'],
  ['KEYFLEET_KEY_POOL', '{"rsa-2048":20001}'],
  ['KEYFLEET_KEY_POOL', 'rsa-2048=50'],
])('%s cannot be %s', (name, value) => {
  expect(() => readSettings({ ...enough, [name]: value })).toThrow(
    new RegExp(`Keyfleet is not configured: ${name}(\\.rsa-\\d+)?: `),
  );
});
