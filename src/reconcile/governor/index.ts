import { AzureFailure, isAzureFailure } from '../../azure-failure.ts';
import type { TargetVault } from '../../key-vault/target-vault.ts';
import type { InstanceStore } from '../../state/instances.ts';
import { budgetOf, costOf, windowMilliseconds, type CallLimits } from './call-limits.ts';
import type { Clock } from './clock.ts';
import { createGovernedVault, type Charge } from './governed-vault.ts';
import type { Lane } from './lane.ts';
import { createScheduler, type Scheduler } from './scheduler.ts';
import { createShares } from './shares.ts';
import { createGroup, createVault, lineOf, type Group, type StartedTurn, type Vault } from './vault-line.ts';

export { documentedLimits, type CallLimits } from './call-limits.ts';
export { systemClock, type Clock } from './clock.ts';
export type { Lane } from './lane.ts';

/** Which limits hold for a vault. */
export interface Limited {
  /** Unlike any other vault's in any cloud: its DNS name. */
  vaultId: string;
  /** The same for all vaults that have common limits: those of one subscription and region. */
  groupId: string;
}

export interface Governor {
  /** @returns the vault for calls of each lane. Their limits, and what is known of the vault, are the same for both. */
  govern(vault: TargetVault, limited: Limited): Record<Lane, TargetVault>;
}

export interface GovernorOptions {
  limits: CallLimits;
  instances: InstanceStore;
  /** Unlike any other instance's. */
  instanceId: string;
  clock: Clock;
  /** The time of day. */
  wallClock: () => Date;
}

/** More vaults than this, and those that nothing is known of are forgotten. */
const mostVaults = 500;
const forgetMilliseconds = 120_000;
/** A call that somebody waits for is repeated after 429, which is sure to have had no effect, for as long as this. */
const repeatMilliseconds = 1_500;

/**
 * Stands between the service and the vaults: no call is sent before there is room for it in the limits of its vault and
 * of the vault's subscription and region, as far as this instance may use them.
 */
export function createGovernor({ limits, instances, instanceId, clock, wallClock }: GovernorOptions): Governor {
  const vaults = new Map<string, Vault>();
  const groups = new Map<string, Group>();
  const shares = createShares({
    instances,
    instanceId,
    clock,
    wallClock,
    windowMilliseconds,
    onChange: () => scheduler.lookAgain(),
  });
  const scheduler: Scheduler = createScheduler({ limits, shares, clock, wallClock, vaults });

  function vaultOf(id: string, name: string): Vault {
    const existing = vaults.get(id);
    if (existing !== undefined) return existing;
    if (vaults.size >= mostVaults) forgetIdle();
    const vault = createVault(`vault-${id}`, name);
    vaults.set(id, vault);
    return vault;
  }

  function forgetIdle(): void {
    for (const [id, vault] of vaults) {
      if (vault.lastUse < clock.now() - forgetMilliseconds && vault.inFlight === 0) vaults.delete(id);
    }
  }

  function groupOf(id: string): Group {
    const group = groups.get(id) ?? createGroup(`group-${id}`);
    groups.set(id, group);
    return group;
  }

  async function call<T>(
    { vaultId, groupId, name }: Limited & { name: string },
    lane: Lane,
    { kind, actually, part }: Charge<T>,
    send: () => Promise<T>,
  ): Promise<T> {
    const vault = vaultOf(vaultId, name);
    const group = groupOf(groupId);
    const request = {
      lane,
      budget: budgetOf(kind),
      cost: costOf(kind, limits),
      askedAt: clock.now(),
      patient: part === 'later',
    };
    for (;;) {
      const turn = await scheduler.turn(vault, group, request);
      try {
        const result = await send();
        const actual = actually?.(result);
        turn.answered(actual && costOf(actual.kind, limits) * actual.times);
        return result;
      } catch (error) {
        report(turn, error);
        if (!isAzureFailure(error, 'throttled')) throw error;
        const mayRepeat =
          lane === 'interactive' && part === undefined && clock.now() - request.askedAt < repeatMilliseconds;
        if (mayRepeat) continue;
        const retryAfterSeconds = scheduler.comeBackSeconds(lineOf(vault, request.budget), group, request.cost);
        throw new AzureFailure('throttled', error.message, { cause: error, retryAfterSeconds });
      }
    }
  }

  return {
    govern(vault, limited) {
      const place = { ...limited, name: vault.name };
      const inLane = (lane: Lane) => createGovernedVault(vault, (charge, send) => call(place, lane, charge, send));
      return { interactive: inLane('interactive'), background: inLane('background') };
    },
  };
}

function report(turn: StartedTurn, error: unknown): void {
  if (isAzureFailure(error, 'throttled')) turn.throttled(error.retryAfterSeconds);
  else if (isAzureFailure(error, 'unavailable', 'unknown-outcome')) turn.failed(error.message);
  else turn.answered();
}
