/**
 * The one way in which a test makes a stand-in misbehave. A stand-in asks `take(...)` once per operation and does what
 * the answer says; every fault that was taken is kept in `log`.
 */
export type Fault =
  /** Answer with this HTTP status (or AMQP condition) and have no effect. */
  | { kind: 'refuse'; status?: number; code?: string; message?: string }
  /** Have the effect, then answer with a 500 (AMQP: an internal error). */
  | { kind: 'fail-after-effect'; status?: number }
  /** Have the effect, then close the connection without an answer. */
  | { kind: 'drop-reply' }
  /** Close the connection before there is an effect. */
  | { kind: 'reset' }
  /** Answer normally, `milliseconds` late. */
  | { kind: 'delay'; milliseconds: number }
  /** Have the effect twice; a broker delivers the message twice. */
  | { kind: 'twice' }
  /** 429 without an effect; no Retry-After header unless given. */
  | { kind: 'throttle'; retryAfterSeconds?: number };

/** Only the pages of a vault's lists suffer these; to every other operation their rules don't apply. */
export type PageFault =
  /** A page without items whose link leads to the page that was asked for: give it a number of times, or it has no end. */
  | { kind: 'empty-page' }
  /** A page whose JSON ends in its middle, in an answer that is whole by its length. */
  | { kind: 'broken-page' };

export interface FaultRule {
  service: 'key-vault' | 'service-bus' | 'entra' | 'identity';
  /** Operation as the stand-in names it, e.g. `import`, `create`, `get`, `send`, `deliver`. Absent: any. */
  operation?: string | RegExp;
  /** What it is done to: key name, queue name, client id. Absent: any. */
  name?: string | RegExp;
  /** How often the rule applies before it is spent. Absent: until removed. */
  times?: number;
  /** Matching operations let through before the rule applies. */
  after?: number;
  /** Probability from 0 to 1, drawn from the seeded generator. Absent: always. */
  chance?: number;
  fault: Fault | PageFault;
}

export interface TakenFault {
  service: FaultRule['service'];
  operation: string;
  name: string;
  fault: Fault | PageFault;
}

export interface Faults {
  /** @returns a function that removes the rule. */
  add(rule: FaultRule): () => void;
  /** @returns the fault that this operation must suffer, if any. The first rule that applies wins. */
  take(service: FaultRule['service'], operation: string, name: string): Fault | undefined;
  /** The same for a page of a list, once it is there. */
  takePage(service: FaultRule['service'], operation: string, name: string): PageFault | undefined;
  clear(): void;
  readonly log: readonly TakenFault[];
}

/** @param random numbers from 0 up to 1; give {@link seededRandom} to make `chance` replayable. */
export function createFaults(random: () => number = Math.random): Faults {
  const rules = new Set<FaultRule & { seen: number; taken: number }>();
  const log: TakenFault[] = [];

  function take<Wanted extends Fault | PageFault>(
    isWanted: (fault: Fault | PageFault) => fault is Wanted,
    { service, operation, name }: Omit<TakenFault, 'fault'>,
  ): Wanted | undefined {
    for (const rule of rules) {
      const { fault } = rule;
      if (!isWanted(fault)) continue;
      if (rule.service !== service || !matches(rule.operation, operation) || !matches(rule.name, name)) continue;
      if (rule.seen++ < (rule.after ?? 0)) continue;
      if (rule.taken >= (rule.times ?? Infinity)) continue;
      if (rule.chance !== undefined && random() >= rule.chance) continue;
      rule.taken++;
      log.push({ service, operation, name, fault });
      return fault;
    }
    return undefined;
  }

  return {
    log,
    add(rule) {
      const entry = { ...rule, seen: 0, taken: 0 };
      rules.add(entry);
      return () => void rules.delete(entry);
    },
    take: (service, operation, name) => take((fault) => !isPageFault(fault), { service, operation, name }),
    takePage: (service, operation, name) => take(isPageFault, { service, operation, name }),
    clear: () => rules.clear(),
  };
}

function isPageFault(fault: Fault | PageFault): fault is PageFault {
  return fault.kind === 'empty-page' || fault.kind === 'broken-page';
}

/**
 * Numbers from 0 up to 1 that are the same for the same seed: a test that prints its seed can be run again as it was.
 * @param seed a whole number
 */
export function seededRandom(seed: number): () => number {
  // Mulberry32: 32 bits of state, well mixed.
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function matches(pattern: string | RegExp | undefined, value: string): boolean {
  if (pattern === undefined) return true;
  return typeof pattern === 'string' ? pattern === value : pattern.test(value);
}
