/** Tells work that has to come back later when, so that it doesn't all come at once. Times are milliseconds. */
export interface ReturnTimes {
  /**
   * @param earliest when there may be room again
   * @param interval between two of these calls
   */
  next(earliest: number, interval: number, at: number): number;
}

/** Whoever would have to come back later than this comes sooner, and is told again. */
const latestMilliseconds = 300_000;
const shortestMilliseconds = 250;

export function createReturnTimes(): ReturnTimes {
  let last = -Infinity;
  return {
    next(earliest, interval, at) {
      const soonest = Math.min(Math.max(earliest, at + shortestMilliseconds), at + latestMilliseconds / 2);
      const time = Math.max(soonest, last + Math.min(interval, latestMilliseconds / 2));
      last = time > at + latestMilliseconds ? soonest : time;
      return last;
    },
  };
}
