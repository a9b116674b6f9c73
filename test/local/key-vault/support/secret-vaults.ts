import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll } from 'vitest';
import type { VaultOptions } from '../../../../src/local/key-vault/index.ts';
import { secretClient } from './secret-client.ts';
import { premiumVault, startVaults } from './start.ts';

type Vaults = Awaited<ReturnType<typeof startVaults>>;

/** What a test of secrets begins with. */
export interface SecretTest extends ReturnType<typeof secretClient> {
  vaults: Vaults;
  /** Of the premium vault, which `client` is for. */
  url: string;
  /** A name that no test had before. */
  name: string;
}

/** How long a deletion or a recovery takes; in the service it is seconds. */
const lagMilliseconds = 150;

export const settled = () => delay(lagMilliseconds + 20);
/** Polls as often as that is worth it. */
export const quick = { intervalInMs: 20 };
/** Key Vault's own name for a version. */
export const versionPattern = /^[0-9a-f]{32}$/;
export const absent = [404, 'SecretNotFound'];

/**
 * Runs a premium vault and `others` for the tests of a file.
 * @returns to be called before each test
 */
export function useSecretVaults(others: readonly VaultOptions[]): () => SecretTest {
  let vaults: Vaults;
  let serial = 0;

  beforeAll(async () => {
    vaults = await startVaults({
      vaults: [premiumVault, ...others],
      deletionLagMilliseconds: lagMilliseconds,
      recoveryLagMilliseconds: lagMilliseconds,
    });
  });
  afterAll(() => vaults.stop());

  return () => {
    const url = vaults.addressOf(premiumVault.name).uri;
    return { ...secretClient(url), vaults, url, name: `secret-${++serial}` };
  };
}
