import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KeyVaultCall } from '../../../src/local/key-vault/index.ts';
import { keyClient, premiumVault, startVaults } from './support/start.ts';

let vaults: Awaited<ReturnType<typeof startVaults>>;

beforeAll(async () => {
  vaults = await startVaults({ vaults: [premiumVault], deletionLagMilliseconds: 0 });
});

afterAll(() => vaults.stop());

test('what a vault holds can be looked at, with its deleted keys, without a call', async () => {
  const client = keyClient(vaults.addressOf('premium-vault').uri);
  const first = await client.createRsaKey('looked-at', { keyOps: ['sign'], tags: { number: '1' } });
  const second = await client.createRsaKey('looked-at', { enabled: false });
  await client.createEcKey('gone');
  await client.beginDeleteKey('gone');

  const calls = vaults.calls.length;
  const inspection = vaults.inspect('premium-vault');
  const modulus = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('base64url');
  const e = 'AQAB';
  expect(inspection.key('LOOKED-AT')).toEqual({
    name: 'looked-at',
    deleted: false,
    versions: [
      {
        version: first.properties.version,
        enabled: true,
        tags: { number: '1' },
        operations: ['sign'],
        publicKey: { n: modulus(first.key?.n), e },
      },
      {
        version: second.properties.version,
        enabled: false,
        tags: {},
        operations: second.keyOperations,
        publicKey: { n: modulus(second.key?.n), e },
      },
    ],
  });
  expect(inspection.key('unheard-of')).toBeUndefined();
  expect(inspection.keys().map(({ name, deleted }) => [name, deleted])).toEqual([
    ['looked-at', false],
    ['gone', true],
  ]);
  expect(vaults.calls).toHaveLength(calls);
  expect(() => vaults.inspect('no-vault')).toThrow("There is no vault 'no-vault'.");
});

test('whoever listens is told of a call after its effect, and before it is answered', async () => {
  const client = keyClient(vaults.addressOf('premium-vault').uri);
  const seen: [KeyVaultCall, boolean][] = [];
  let answered = false;
  const stop = vaults.onCall((call) => {
    const effect = vaults.inspect('premium-vault').key('listened-to') !== undefined;
    if (call.operation === 'create') seen.push([call, effect && !answered]);
  });
  await client.createEcKey('listened-to');
  answered = true;
  stop();
  await client.createEcKey('listened-to');
  expect(seen).toEqual([[expect.objectContaining({ name: 'listened-to', status: 200 }), true]]);
});
