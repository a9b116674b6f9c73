import { isAzureFailure } from '../../src/azure-failure.ts';
import type { TargetVault } from '../../src/key-vault/target-vault.ts';
import { createGovernor, documentedLimits, type CallLimits } from '../../src/reconcile/governor/index.ts';
import { createInstanceStore } from '../../src/state/instances.ts';
import type { Table } from '../../src/state/table.ts';
import type { VirtualClock } from './virtual-clock.ts';

export interface GovernorOfTests {
  open(vault: TargetVault, groupId?: string): Record<'interactive' | 'background', TargetVault>;
}

/** One instance's governor, over a table that all of them use. */
export function openGovernor(
  clock: VirtualClock,
  { table, instanceId, limits = {} }: { table: Table; instanceId: string; limits?: Partial<CallLimits> },
): GovernorOfTests {
  const governor = createGovernor({
    limits: { ...documentedLimits, ...limits },
    instances: createInstanceStore(table),
    instanceId,
    clock,
    wallClock: clock.wallClock,
  });
  return {
    open: (vault, groupId = 'group') => governor.govern(vault, { vaultId: vault.name, groupId }),
  };
}

const key = Buffer.alloc(0);
const importOptions = { operations: [], enabled: true, tags: {}, deadline: new Date(0) };

export function importInto(vault: TargetVault): Promise<unknown> {
  return vault.importPlain('key', key, importOptions);
}

/**
 * Does as the reconciler does: what was put off is done when it was said that there is room, as is what failed.
 * @returns once it is done; how often it was put off, and how often it failed
 */
export async function importInTheEnd(
  clock: VirtualClock,
  vault: TargetVault,
  tally: { deferred: number; failed: number } = { deferred: 0, failed: 0 },
): Promise<void> {
  for (let attempts = 1; ;) {
    try {
      await importInto(vault);
      return;
    } catch (error) {
      if (!isAzureFailure(error, 'throttled', 'unavailable')) throw error;
      if (error.deferred) tally.deferred++;
      else tally.failed++;
      const known = error.deferred || error.kind === 'throttled' ? error.retryAfterSeconds : undefined;
      await clock.sleep((known ?? 2 * 2 ** Math.min(11, attempts - 1)) * 1000);
      if (!error.deferred) attempts++;
    }
  }
}
