import { generateKeyPairSync } from 'node:crypto';
import { AzureFailure } from '../../src/azure-failure.ts';
import type { TargetVault } from '../../src/key-vault/target-vault.ts';
import type { VaultKey } from '../../src/key-vault/transformations.ts';
import { createSlidingBudget } from '../../src/local/key-vault/sliding-budget.ts';
import type { VaultLimits } from '../../src/local/key-vault/vault-limits.ts';
import { serviceLimits } from '../../src/local/key-vault/vault-limits.ts';
import type { Clock } from '../../src/reconcile/governor/clock.ts';

/** What became of one call, as the vault saw it. */
export interface SeenCall {
  vault: string;
  kind: 'import' | 'useHsmRsa2048';
  at: number;
  answer: 'taken' | 'over-limit' | 'storm' | 'dead';
}

export interface SimulatedFleet {
  vault(name: string, options?: { latency?: () => number; dead?: () => boolean }): TargetVault;
  /** Every call that reached a vault, in order. */
  readonly calls: readonly SeenCall[];
}

export interface FleetOptions {
  clock: Clock;
  random: () => number;
  limits?: Partial<VaultLimits>;
  /** Whether a call is refused with 429 whatever the limits say, and what Retry-After it gets. */
  storm?: (at: number) => { retryAfterSeconds?: number } | undefined;
}

const windowMilliseconds = 10_000;
const whole = 3_600_000_000;

/**
 * Vaults of one subscription and region that do nothing but count imports and reads, with the limits of the local Key
 * Vault. Half of the time of a call is over before the vault sees it.
 */
export function createSimulatedFleet({
  clock,
  random,
  limits = {},
  storm = () => undefined,
}: FleetOptions): SimulatedFleet {
  const all = { ...serviceLimits, ...limits };
  const calls: SeenCall[] = [];
  type Kind = SeenCall['kind'];
  const ofGroup = { import: budget(5), useHsmRsa2048: budget(5) };

  function budget(factor: number) {
    return createSlidingBudget(whole * factor, windowMilliseconds);
  }

  return {
    calls,
    vault(name, { latency = () => 20 + 80 * random(), dead = () => false } = {}) {
      const ofVault = { import: budget(1), useHsmRsa2048: budget(1) };

      function judge(kind: Kind): SeenCall['answer'] {
        const at = clock.now();
        if (dead()) return 'dead';
        if (storm(at) !== undefined) return 'storm';
        const units = Math.floor(whole / all[kind]);
        if (!ofVault[kind].fits(units, at) || !ofGroup[kind].fits(units, at)) return 'over-limit';
        ofVault[kind].spend(units, at);
        ofGroup[kind].spend(units, at);
        return 'taken';
      }

      async function call(kind: Kind): Promise<VaultKey> {
        const total = latency();
        await clock.sleep(total / 2);
        const answer = judge(kind);
        calls.push({ vault: name, kind, at: clock.now(), answer });
        const retryAfterSeconds = storm(clock.now())?.retryAfterSeconds;
        await clock.sleep(total / 2);
        if (answer === 'taken') return someKey;
        if (answer === 'dead') throw new AzureFailure('unavailable', `${name} can't be reached`);
        throw new AzureFailure('throttled', `${name} is throttling requests`, { retryAfterSeconds });
      }

      const notSimulated = () => Promise.reject(new Error('not simulated'));
      return {
        name,
        getKey: () => call('useHsmRsa2048'),
        importPlain: () => call('import'),
        importWrapped: () => call('import'),
        createKeyExchangeKey: notSimulated,
        getKeyVersion: () => call('useHsmRsa2048'),
        updateVersion: () => call('useHsmRsa2048'),
        deleteKey: notSimulated,
        listVersions: notSimulated,
        listKeys: () => {
          throw new Error('not simulated');
        },
        getDeletedKey: notSimulated,
        recoverKey: notSimulated,
      };
    },
  };
}

const someKey: VaultKey = {
  id: 'https://vault/keys/key/1',
  version: '1',
  type: 'RSA-HSM',
  operations: [],
  enabled: true,
  tags: {},
  updatedTime: new Date(0),
  publicKey: generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey,
};
