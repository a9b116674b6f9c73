import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keymgmtAt, type Keymgmt } from '../support/keymgmt.ts';
import { eventually, providerFields, startService, type Service } from '../support/service.ts';

/*
 * Vaults that take only so many calls, and one that doesn't answer: nobody else is held up by them, and everything
 * converges.
 */

const importLimit = 20;
const vaultNames = ['healthy-keyvault', 'narrow-keyvault', 'dead-keyvault'];
const keys = Array.from({ length: 12 }, (_, index) => `batch-${index}`);

let service: Service;
let keymgmt: Keymgmt;

beforeAll(async () => {
  service = await startService({
    platform: { vaults: vaultNames.map((name) => ({ name, sku: 'premium' })) },
    settings: { KEYFLEET_WAIT_SECONDS: '10', KEYFLEET_KEY_VAULT_LIMITS: JSON.stringify({ import: importLimit }) },
  });
  const { platform, vault } = service;
  platform.keyVault.control('narrow-keyvault').setThrottle({ limits: { import: importLimit } });
  await vault('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' });
  keymgmt = keymgmtAt(service, 'keymgmt');
  for (const name of vaultNames) {
    await keymgmt.done('POST', `kms/${name}`, { ...providerFields(name), subscription_id: name, region: 'westeurope' });
  }
  await keymgmt.done('POST', 'key/rotated', { type: 'rsa-2048' });
  await distribute('rotated', 'healthy-keyvault');
  await eventually('the first version', () => placed('rotated', 'healthy-keyvault'), 50_000);
  for (const key of keys) await keymgmt.done('POST', `key/${key}`, { type: 'rsa-2048' });
});

afterAll(() => service.stop());

const distribute = (key: string, provider: string) =>
  service.vault('POST', `keymgmt/kms/${provider}/key/${key}`, { purpose: 'sign' }, { Prefer: 'respond-async' });

async function placed(key: string, provider: string): Promise<boolean> {
  const { body } = await service.vault('GET', `keymgmt/kms/${provider}/key/${key}`);
  const versions = (body.data?.['versions'] ?? {}) as Record<string, unknown>;
  return '1' in versions;
}

describe('beside a vault that is at its limit and one that is dead', () => {
  test('a rotation for a healthy vault settles while it is waited for', async () => {
    const { faults, keyVault } = service.platform;
    const revive = faults.add({
      service: 'key-vault',
      name: /^(batch-|keyfleet-kek)/,
      // The keys that are tried before this fault ends go to the dead vault alone.
      fault: { kind: 'reset' },
    });
    for (const key of keys) await distribute(key, 'dead-keyvault');
    await eventually(
      'calls to the dead vault',
      () => keyVault.calls.filter(({ vault, status }) => vault === 'dead-keyvault' && status === 0).length >= 5,
    );
    const { status, text } = await service.vault('POST', 'keymgmt/key/rotated/rotate');
    expect({ status, text }).toEqual({ status: 204, text: '' });
    const why = await eventually('the reason', async () => {
      const { body } = await service.vault('GET', 'keymgmt/kms/dead-keyvault/key/batch-0');
      return body.warnings?.find((warning) => warning.includes('is not asked before'));
    });
    expect(why).toMatch(/because several calls in a row failed/);
    revive();
  });

  test('the vault at its limit is sent no more than it takes, and all converge once the dead one answers', async () => {
    const { keyVault } = service.platform;
    for (const key of keys) await distribute(key, 'narrow-keyvault');
    const { status } = await service.vault('POST', 'keymgmt/key/rotated/rotate');
    expect(status).toBe(204);
    for (const provider of ['narrow-keyvault', 'dead-keyvault']) {
      for (const key of keys) {
        await eventually(`${key} in ${provider}`, () => placed(key, provider), 60_000);
      }
    }
    const ofNarrow = keyVault.calls.filter(
      ({ vault, operation }) => vault === 'narrow-keyvault' && operation === 'import',
    );
    expect(ofNarrow.filter(({ status: answer }) => answer === 200)).toHaveLength(keys.length);
    expect(ofNarrow.filter(({ status: answer }) => answer === 429)).toEqual([]);
  }, 120_000);
});
