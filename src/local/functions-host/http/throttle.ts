export interface Throttle {
  /** @returns a function that gives the place back, or undefined when too many are waiting already */
  enter(): Promise<(() => void) | undefined>;
}

export interface ThrottleOptions {
  maxConcurrentRequests: number;
  /** Running and waiting together. */
  maxOutstandingRequests: number;
}

/** host.json's two limits on requests. Infinity: none. */
export function createThrottle({ maxConcurrentRequests, maxOutstandingRequests }: ThrottleOptions): Throttle {
  const waiting: (() => void)[] = [];
  let running = 0;

  function leave(): void {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }

  return {
    async enter() {
      if (running + waiting.length >= maxOutstandingRequests) return undefined;
      if (running >= maxConcurrentRequests) await new Promise<void>((resolve) => waiting.push(resolve));
      else running++;
      return leave;
    },
  };
}
