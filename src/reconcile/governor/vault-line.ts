import { createAdaptation, type Adaptation } from './adaptation.ts';
import { createBreaker, type Breaker } from './breaker.ts';
import { createBudget, type Budget } from './budget.ts';
import { windowMilliseconds, type BudgetName } from './call-limits.ts';
import { createLaneTurns, type Lane, type LaneTurns } from './lane.ts';
import { createReturnTimes, type ReturnTimes } from './return-times.ts';

/** Making keys is rare, and so slow that somebody would notice the wait between two. */
const burstFractions: Record<BudgetName, number> = { create: 0.5, import: 0.05, use: 0.05, other: 0.05 };

/** A call that waits for its turn. */
export interface Waiting {
  lane: Lane;
  group: Group;
  cost: number;
  askedAt: number;
  /** Isn't put off once it waits. */
  patient: boolean;
  start: (turn: StartedTurn) => void;
  refuse: (error: Error) => void;
}

/** What a call that may be sent now has to give back once it was answered. */
export interface StartedTurn {
  sentAt: number;
  /** @param cost what the call turned out to be */
  answered(cost?: number): void;
  throttled(retryAfterSeconds: number | undefined): void;
  /** The vault didn't answer, or not in a way that says anything. @param reason for whoever is kept away afterwards */
  failed(reason: string): void;
}

/** Vaults with common limits. */
export interface Group {
  /** Whose share of the limits is meant: this group's. */
  scope: string;
  budgets: Map<BudgetName, { budget: Budget; turns: LaneTurns }>;
}

/** One budget of one vault, and who waits for it. */
export interface Line {
  vault: Vault;
  name: BudgetName;
  budget: Budget;
  adaptation: Adaptation;
  turns: LaneTurns;
  returns: ReturnTimes;
  waiting: Record<Lane, Waiting[]>;
}

export interface Vault {
  /** The same for the vault alone; unlike any other vault's in any cloud. */
  scope: string;
  /** As people know it. */
  name: string;
  lines: Map<BudgetName, Line>;
  breaker: Breaker;
  /** Why the breaker opened. */
  lastFailure: string;
  inFlight: number;
  /** Of late, in milliseconds. */
  latency: number;
  lastUse: number;
}

export function createVault(scope: string, name: string): Vault {
  return {
    scope,
    name,
    lines: new Map(),
    breaker: createBreaker(),
    lastFailure: '',
    inFlight: 0,
    latency: 100,
    lastUse: -Infinity,
  };
}

export function lineOf(vault: Vault, name: BudgetName): Line {
  const existing = vault.lines.get(name);
  if (existing !== undefined) return existing;
  const line: Line = {
    vault,
    name,
    budget: createBudget(windowMilliseconds, burstFractions[name]),
    adaptation: createAdaptation(),
    turns: createLaneTurns(),
    returns: createReturnTimes(),
    waiting: { interactive: [], background: [] },
  };
  vault.lines.set(name, line);
  return line;
}

export function groupBudgetOf(group: Group, name: BudgetName): { budget: Budget; turns: LaneTurns } {
  const existing = group.budgets.get(name);
  if (existing !== undefined) return existing;
  const created = { budget: createBudget(windowMilliseconds, burstFractions[name]), turns: createLaneTurns() };
  group.budgets.set(name, created);
  return created;
}

export function createGroup(scope: string): Group {
  return { scope, budgets: new Map() };
}

export function waitingFor(vault: Vault): number {
  let count = 0;
  for (const { waiting } of vault.lines.values()) count += waiting.interactive.length + waiting.background.length;
  return count;
}
