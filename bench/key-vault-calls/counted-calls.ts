import type { KeyVaultCall } from '../../src/local/key-vault/index.ts';

const listPageSize = 25;

/** What was called in the vaults that keys are distributed to. */
export interface CountedCalls {
  /** By operation, without those answered 401. */
  operations: Readonly<Record<string, number>>;
  total: number;
  /** Requests answered 401: how a client learns where to get a token, once per vault and client. */
  challenges: number;
  /** Calls to the service's own vault, challenges included. */
  homeVault: number;
}

export function countCalls(calls: readonly KeyVaultCall[], isTarget: (vault: string) => boolean): CountedCalls {
  const inTargets = calls.filter(({ vault }) => isTarget(vault));
  const answered = inTargets.filter(({ operation }) => operation !== 'challenge');
  const operations: Record<string, number> = {};
  for (const { operation } of answered) operations[operation] = (operations[operation] ?? 0) + 1;
  return {
    operations,
    total: answered.length,
    challenges: inTargets.length - answered.length,
    homeVault: calls.length - inTargets.length,
  };
}

/**
 * The fewest calls by which a vault can be given versions with certainty: one import each, one read of the key exchange
 * key, and listing what is there.
 * @param versions that one vault is given
 */
export function fewestCalls({ versions, vaults }: { versions: number; vaults: number }): number {
  return vaults * (versions + 1 + Math.ceil(versions / listPageSize));
}
