import { AzureFailure } from '../../azure-failure.ts';
import { groupFactor, reservedUnits, wholeBudget, windowMilliseconds, type BudgetName } from './call-limits.ts';
import type { CallLimits } from './call-limits.ts';
import type { Clock } from './clock.ts';
import type { Lane } from './lane.ts';
import { placesPerVault } from './places.ts';
import type { Share, Shares } from './shares.ts';
import { groupBudgetOf, lineOf, waitingFor, type Group, type Line, type StartedTurn } from './vault-line.ts';
import type { Vault, Waiting } from './vault-line.ts';

export interface Scheduler {
  /**
   * Waits until the call may be sent.
   * @param askedAt when it was wanted first
   * @throws AzureFailure `throttled`, deferred: its turn is too far away to wait for it; it says when to come back
   * @throws AzureFailure `unavailable`, deferred: the vault hasn't answered for a while
   */
  turn(vault: Vault, group: Group, call: TurnRequest): Promise<StartedTurn>;
  /** Looks again whether anybody may go: a share has changed. */
  lookAgain(): void;
  /** @returns seconds until a call that was refused now should be tried again */
  comeBackSeconds(line: Line, group: Group, cost: number): number;
}

export interface TurnRequest {
  lane: Lane;
  budget: BudgetName;
  cost: number;
  askedAt: number;
  /** Waits however long it takes. */
  patient: boolean;
}

export interface SchedulerOptions {
  limits: CallLimits;
  shares: Shares;
  clock: Clock;
  wallClock: () => Date;
  vaults: ReadonlyMap<string, Vault>;
}

/** How long a call waits for its turn before whoever wants it does something else meanwhile. */
const patienceMilliseconds: Record<Lane, number> = { interactive: 5_000, background: 2_000 };
/** Calls of people who wait find these besides those of the background. */
const interactivePlaces = 4;
const activeMilliseconds = 10_000;
const latencyWeight = 0.2;
/** What is made of a share that isn't known yet: how much, and how soon. */
const presumedFraction = 0.1;
const presumedMilliseconds = 5_000;

export function createScheduler({ limits, shares, clock, wallClock, vaults }: SchedulerOptions): Scheduler {
  /** Lines that somebody waits in; the one that was served last is at the end. */
  const lines = new Set<Line>();
  let alarm: { at: number } | undefined;
  let places = { count: Infinity, until: -Infinity };

  function placesNow(at: number): number {
    if (at < places.until) return places.count;
    let active = 0;
    for (const vault of vaults.values()) if (vault.lastUse > at - activeMilliseconds) active++;
    places = { count: placesPerVault(active), until: at + 500 };
    return places.count;
  }

  function unitsOf(share: Share | undefined, name: BudgetName, factor: number, lane: Lane): number {
    if (share === undefined) return 0;
    const reserved = reservedUnits(name, limits);
    // People don't wait for whichever of several newcomers the reserve is: their calls are few, and a 429 costs nothing.
    if (share.reserve || (share.fraction === 0 && lane === 'interactive')) return Math.floor(reserved * factor);
    return Math.floor((wholeBudget - reserved) * share.fraction * factor);
  }

  const vaultUnits = (line: Line, lane: Lane, at: number) =>
    unitsOf(shares.of(line.vault.scope), line.name, line.adaptation.factor(at), lane);
  const groupUnits = (group: Group, name: BudgetName, lane: Lane) =>
    unitsOf(shares.of(group.scope), name, groupFactor, lane);

  /** When the call could be sent if it were the only one. */
  function earliestOf(line: Line, { lane, group, cost }: Pick<Waiting, 'lane' | 'group' | 'cost'>, at: number): number {
    const atVault = line.budget.earliest(cost, vaultUnits(line, lane, at), at);
    const inGroup = groupBudgetOf(group, line.name).budget.earliest(cost, groupUnits(group, line.name, lane), at);
    return Math.max(at, atVault, inGroup, line.adaptation.pausedUntil(lane));
  }

  function hasPlace({ vault }: Line, lane: Lane, at: number): boolean {
    return vault.inFlight < placesNow(at) + (lane === 'interactive' ? interactivePlaces : 0);
  }

  /** What only bridges the time until there is a real share says nothing about later: work would be put off for minutes. */
  const lasting = (scope: string, units: number) => (shares.of(scope)?.reserve === true ? wholeBudget : units);

  /** Milliseconds between two calls of this kind, as far as can be told. */
  function intervalOf(line: Line, group: Group, cost: number, at: number): number {
    let sharing = 0;
    for (const { name, waiting } of lines) {
      const [first = waiting.interactive[0]] = waiting.background;
      if (name === line.name && first?.group === group) sharing++;
    }
    const inGroup = lasting(group.scope, groupUnits(group, line.name, 'background')) / Math.max(1, sharing);
    const units =
      Math.min(lasting(line.vault.scope, vaultUnits(line, 'background', at)), inGroup) ||
      wholeBudget * presumedFraction;
    return Math.max((windowMilliseconds * cost) / units, line.vault.latency / placesNow(at));
  }

  function expectedAt(line: Line, request: Pick<Waiting, 'lane' | 'group' | 'cost'>, at: number): number {
    const { interactive, background } = line.waiting;
    const ahead = interactive.length + (request.lane === 'background' ? background.length : 0);
    const interval = intervalOf(line, request.group, request.cost, at);
    return earliestOf(line, request, at) + (ahead === 0 ? 0 : ahead * interval);
  }

  function comeBackSeconds(line: Line, group: Group, cost: number): number {
    const at = clock.now();
    const expected = earliestOf(line, { lane: 'background', group, cost }, at);
    const earliest = expected === Infinity ? at + presumedMilliseconds : expected;
    return (line.returns.next(earliest, intervalOf(line, group, cost, at), at) - at) / 1000;
  }

  function giveBack(line: Line, group: Group, cost: number): AzureFailure {
    const retryAfterSeconds = comeBackSeconds(line, group, cost);
    return new AzureFailure(
      'throttled',
      `Key Vault "${line.vault.name}" is sent no more calls than its limits allow; there is room in about ` +
        `${Math.ceil(retryAfterSeconds)} s`,
      { retryAfterSeconds, deferred: true },
    );
  }

  /** Asked again by many at once, a vault that just came back would be gone again. */
  function keptAway(line: Line, openUntil: number, at: number): AzureFailure {
    const { vault } = line;
    const time = new Date(wallClock().getTime() + openUntil - at);
    return new AzureFailure(
      'unavailable',
      `Key Vault "${vault.name}" is not asked before ${time.toISOString()}, because several calls in a row failed; ` +
        `the last one: ${vault.lastFailure}`,
      { retryAfterSeconds: (line.returns.next(openUntil, 100, at) - at) / 1000, deferred: true },
    );
  }

  function start(line: Line, request: Waiting, at: number): void {
    const { vault } = line;
    const queue = line.waiting[request.lane];
    queue.splice(queue.indexOf(request), 1);
    lines.delete(line);
    if (line.waiting.interactive.length + line.waiting.background.length > 0) lines.add(line);
    const inGroup = groupBudgetOf(request.group, line.name);
    const othersWait = line.waiting.background.length > 0;
    line.turns.started(request.lane, othersWait);
    inGroup.turns.started(request.lane, othersWait || [...lines].some(({ waiting }) => waiting.background.length > 0));

    const spendings = [
      line.budget.spend(request.cost, vaultUnits(line, request.lane, at), at),
      inGroup.budget.spend(request.cost, groupUnits(request.group, line.name, request.lane), at),
    ];
    const attempt = vault.breaker.sent(at);
    vault.inFlight++;
    vault.lastUse = at;
    let ended = false;
    const end = (what: (now: number) => void) => {
      if (ended) return;
      ended = true;
      const now = clock.now();
      vault.inFlight--;
      vault.latency += (now - at - vault.latency) * latencyWeight;
      what(now);
      pump();
    };
    request.start({
      sentAt: at,
      answered: (cost) =>
        end((now) => {
          for (const spending of spendings) spending.settle(now, cost);
          attempt.answered();
          line.adaptation.succeeded(at, now);
        }),
      throttled: (retryAfterSeconds) =>
        end((now) => {
          for (const spending of spendings) spending.cancel();
          attempt.answered();
          line.adaptation.throttled(at, now, retryAfterSeconds);
        }),
      failed: (reason) =>
        end((now) => {
          for (const spending of spendings) spending.settle(now);
          attempt.failed(now);
          vault.lastFailure = reason;
          if (vault.breaker.openUntil(now) !== undefined) refuseAll(vault, now);
        }),
    });
  }

  function refuse(line: Line, request: Waiting, error: AzureFailure): void {
    const queue = line.waiting[request.lane];
    queue.splice(queue.indexOf(request), 1);
    if (line.waiting.interactive.length + line.waiting.background.length === 0) lines.delete(line);
    request.refuse(error);
  }

  function refuseAll(vault: Vault, at: number): void {
    const openUntil = vault.breaker.openUntil(at) ?? at;
    for (const line of vault.lines.values()) {
      for (const request of [...line.waiting.interactive, ...line.waiting.background]) {
        refuse(line, request, keptAway(line, openUntil, at));
      }
    }
  }

  /** Sends whatever may be sent, the most urgent first, and sets the alarm for the next. */
  function pump(): void {
    const at = clock.now();
    let next = Infinity;
    for (let going = true; going;) {
      going = false;
      next = Infinity;
      let best: { line: Line; request: Waiting; rank: number } | undefined;
      for (const line of lines) {
        for (const lane of ['interactive', 'background'] as const) {
          const request = line.waiting[lane][0];
          if (request === undefined) continue;
          const patientUntil = request.patient ? Infinity : request.askedAt + 1.5 * patienceMilliseconds[lane];
          if (patientUntil <= at) {
            refuse(line, request, giveBack(line, request.group, request.cost));
            going = true;
            continue;
          }
          next = Math.min(next, patientUntil);
          const rank = Math.min(line.turns.rank(lane), groupBudgetOf(request.group, line.name).turns.rank(lane));
          if (best !== undefined && rank >= best.rank) continue;
          if (line.vault.breaker.openUntil(at) !== undefined || !hasPlace(line, lane, at)) continue;
          const earliest = earliestOf(line, request, at);
          if (earliest <= at) best = { line, request, rank };
          else next = Math.min(next, earliest);
        }
      }
      if (best !== undefined) {
        start(best.line, best.request, at);
        going = true;
      }
    }
    setAlarm(next, at);
  }

  function setAlarm(next: number, at: number): void {
    if (next === Infinity || (alarm !== undefined && alarm.at <= next)) return;
    const mine = { at: next };
    alarm = mine;
    const ring = () => {
      if (alarm !== mine) return;
      alarm = undefined;
      pump();
    };
    clock.sleep(Math.max(1, Math.ceil(next - at))).then(ring, ring);
  }

  return {
    lookAgain: pump,
    comeBackSeconds,

    async turn(vault, group, { lane, budget, cost, askedAt, patient }) {
      const at = clock.now();
      const line = lineOf(vault, budget);
      vault.lastUse = at;
      const openUntil = vault.breaker.openUntil(at);
      if (openUntil !== undefined) throw keptAway(line, openUntil, at);
      const held = vault.inFlight + waitingFor(vault);
      const isKnown = shares.of(vault.scope) !== undefined && shares.of(group.scope) !== undefined;
      if (isKnown && !patient) {
        const tooLate = expectedAt(line, { lane, group, cost }, at) - askedAt > patienceMilliseconds[lane];
        if (tooLate || (lane === 'background' && held >= placesNow(at))) throw giveBack(line, group, cost);
      }
      return new Promise<StartedTurn>((start, refuse) => {
        line.waiting[lane].push({ lane, group, cost, askedAt, patient, start, refuse });
        lines.add(line);
        pump();
      });
    },
  };
}
