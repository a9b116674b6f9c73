/** Keeps calls away from a vault that doesn't answer. Times are milliseconds. */
export interface Breaker {
  /** @returns undefined if a call may be sent, else when the next one may be tried */
  openUntil(at: number): number | undefined;
  /** A call is sent. While the breaker is open this is the one that tries whether the vault answers again. */
  sent(at: number): Attempt;
}

export interface Attempt {
  /** The vault answered, whatever it said. */
  answered(): void;
  failed(at: number): void;
  /** Nothing was learned. */
  abandoned(): void;
}

const failuresToOpen = 5;
const firstProbeMilliseconds = 5_000;
const longestProbeMilliseconds = 120_000;

/** Opens after several failures in a row, and then lets single calls through at growing intervals. */
export function createBreaker(): Breaker {
  let failures = 0;
  let interval = firstProbeMilliseconds;
  /** Set while open. */
  let nextProbe: number | undefined;
  let probing = false;

  function close(): void {
    failures = 0;
    interval = firstProbeMilliseconds;
    nextProbe = undefined;
    probing = false;
  }

  return {
    openUntil(at) {
      if (nextProbe === undefined) return undefined;
      if (probing) return Math.max(nextProbe, at + firstProbeMilliseconds);
      return at < nextProbe ? nextProbe : undefined;
    },
    sent() {
      const isProbe = nextProbe !== undefined;
      if (isProbe) probing = true;
      return {
        answered: close,
        failed(at) {
          if (nextProbe === undefined) {
            failures++;
            if (failures >= failuresToOpen) nextProbe = at + interval;
            return;
          }
          if (!isProbe) return;
          probing = false;
          interval = Math.min(interval * 2, longestProbeMilliseconds);
          nextProbe = at + interval;
        },
        abandoned() {
          if (isProbe) probing = false;
        },
      };
    },
  };
}
