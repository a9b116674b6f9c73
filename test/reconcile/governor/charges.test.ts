import { generateKeyPairSync } from 'node:crypto';
import type { VaultKey } from '../../../src/key-vault/transformations.ts';
import { expect, it } from 'vitest';
import { openGovernor } from '../../support/governed-fleet.ts';
import { fixtures } from '../../support/fixtures.ts';
import { createMemoryTable } from '../../support/memory-table.ts';
import { createMemoryVault } from '../../support/memory-vault.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

/** What is allowed of each kind while deletions go on for {@link seconds}. */
const limits = { useHsmRsa2048: 200, useHsmRsa4096: 20 };
const seconds = 60;

const keyOf = (modulusLength: number): VaultKey => ({
  id: 'https://vault/keys/key/1',
  version: '1',
  type: 'RSA-HSM',
  operations: [],
  enabled: true,
  tags: {},
  updatedTime: new Date(0),
  publicKey: generateKeyPairSync('rsa', { modulusLength }).publicKey,
});

it.each([
  [2048, limits.useHsmRsa2048],
  [4096, limits.useHsmRsa4096],
])('a deletion counts by the size of the key that was deleted: %i bits', async (bits, allowed) => {
  const clock = createVirtualClock();
  const vault = createMemoryVault('vault', fixtures().exchangeKey, clock.wallClock);
  const key = keyOf(bits);
  vault.deleteKey = async () => key;
  const { background } = openGovernor(clock, { table: createMemoryTable(), instanceId: 'one', limits }).open(vault);
  let deletions = 0;
  const worker = async () => {
    while (clock.now() < seconds * 1000) {
      const outcome = await background.deleteKey('key', { deadline: new Date(0) }).catch(() => undefined);
      if (outcome === undefined) await clock.sleep(1000);
      else deletions++;
    }
  };
  await clock.until(Promise.all([worker(), worker(), worker(), worker()]));
  const share = deletions / ((allowed * seconds) / 10);
  expect(share).toBeGreaterThan(0.6);
  expect(share).toBeLessThanOrEqual(1.2);
});
