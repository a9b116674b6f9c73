/** One call's part of a budget, from before it is sent. */
export interface Spending {
  /**
   * The call has been answered: what it took is free again one window from `at`.
   * @param cost if it turned out to be another one
   */
  settle(at: number, cost?: number): void;
  /** The call took nothing: it was never sent, or refused with 429. */
  cancel(): void;
}

/** What may be spent in any window of time. Times are milliseconds, costs whole units. */
export interface Budget {
  /** @returns when a call may be sent; `Infinity`: not before another one has been answered, or there is capacity */
  earliest(cost: number, capacity: number, at: number): number;
  spend(cost: number, capacity: number, at: number): Spending;
}

/** The pace is a little faster than the capacity: what binds is the window. */
const paceFactor = 0.97;

/**
 * Counts a call from when it is sent until one window after its answer. Whenever the other side received it, that was in
 * between, so that what fits here fits there as well. Within the window the calls are spread evenly.
 * @param burstFraction of a window, how much of the pace may be saved up and then spent at once
 */
export function createBudget(windowMilliseconds: number, burstFraction: number): Budget {
  let settled: { cost: number; at: number }[] = [];
  let first = 0;
  let inFlight = 0;
  let total = 0;
  /** When the pace is caught up with. */
  let paced = -Infinity;
  let lastSettled = -Infinity;

  function forget(at: number): void {
    for (let entry = settled[first]; entry && entry.at <= at - windowMilliseconds; entry = settled[first]) {
      total -= entry.cost;
      first++;
    }
    if (first > 64 && first > settled.length / 2) {
      settled = settled.slice(first);
      first = 0;
    }
  }

  function whenFree(units: number): number {
    let missing = units;
    for (let index = first; index < settled.length; index++) {
      const entry = settled[index];
      missing -= entry?.cost ?? 0;
      if (entry !== undefined && missing <= 0) return entry.at + windowMilliseconds;
    }
    return Infinity;
  }

  return {
    earliest(cost, capacity, at) {
      if (capacity <= 0) return Infinity;
      forget(at);
      const pace = Math.max(at, paced - windowMilliseconds * burstFraction);
      if (cost > capacity) {
        // A capacity of less than one call is one call in a longer window.
        if (inFlight > 0) return Infinity;
        return Math.max(at, whenFree(total), lastSettled + windowMilliseconds * (cost / capacity));
      }
      const missing = total + inFlight + cost - capacity;
      return missing <= 0 ? pace : Math.max(pace, whenFree(missing));
    },

    spend(cost, capacity, at) {
      inFlight += cost;
      const interval = windowMilliseconds * Math.min(1, cost / capacity) * paceFactor;
      paced = Math.min(Math.max(at, paced) + interval, at + windowMilliseconds);
      let open = true;
      const close = () => {
        if (open) inFlight -= cost;
        open = false;
      };
      return {
        settle(settledAt, actualCost = cost) {
          if (!open) return;
          close();
          settled.push({ cost: actualCost, at: settledAt });
          total += actualCost;
          lastSettled = settledAt;
        },
        cancel: close,
      };
    },
  };
}
