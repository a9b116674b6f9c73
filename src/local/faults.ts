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
  fault: Fault;
}

export interface TakenFault {
  service: FaultRule['service'];
  operation: string;
  name: string;
  fault: Fault;
}

export interface Faults {
  /** @returns a function that removes the rule. */
  add(rule: FaultRule): () => void;
  /** @returns the fault that this operation must suffer, if any. The first rule that applies wins. */
  take(service: FaultRule['service'], operation: string, name: string): Fault | undefined;
  clear(): void;
  readonly log: readonly TakenFault[];
}

/** @param random numbers from 0 up to 1; give a seeded generator to make `chance` replayable. */
export function createFaults(random: () => number = Math.random): Faults {
  const rules = new Set<FaultRule & { seen: number; taken: number }>();
  const log: TakenFault[] = [];
  return {
    log,
    add(rule) {
      const entry = { ...rule, seen: 0, taken: 0 };
      rules.add(entry);
      return () => void rules.delete(entry);
    },
    take(service, operation, name) {
      for (const rule of rules) {
        if (rule.service !== service || !matches(rule.operation, operation) || !matches(rule.name, name)) continue;
        if (rule.seen++ < (rule.after ?? 0)) continue;
        if (rule.taken >= (rule.times ?? Infinity)) continue;
        if (rule.chance !== undefined && random() >= rule.chance) continue;
        rule.taken++;
        log.push({ service, operation, name, fault: rule.fault });
        return rule.fault;
      }
      return undefined;
    },
    clear: () => rules.clear(),
  };
}

function matches(pattern: string | RegExp | undefined, value: string): boolean {
  if (pattern === undefined) return true;
  return typeof pattern === 'string' ? pattern === value : pattern.test(value);
}
