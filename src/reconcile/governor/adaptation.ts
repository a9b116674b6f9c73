/** How much of a budget a vault has shown to bear. Times are milliseconds. */
export interface Adaptation {
  /** From 0 to 1. */
  factor(at: number): number;
  /** Until then nothing is sent but a trial now and then for somebody who is waiting. */
  pausedUntil(lane: 'interactive' | 'background'): number;
  /** @param sentAt when the call was sent that the vault took */
  succeeded(sentAt: number, at: number): void;
  /** @param sentAt when the call was sent that was refused: those sent before a pause don't count towards the next */
  throttled(sentAt: number, at: number, retryAfterSeconds: number | undefined): void;
}

const smallestFactor = 1 / 32;
const recoveryPerSecond = 0.02;
const firstPauseSeconds = 1;
const longestPauseSeconds = 16;
/** A vault that asks for more than this is asked again all the same. */
const longestObeyedSeconds = 60;
const shortestObeyedSeconds = 0.5;
/** A refused call costs nothing, so somebody who is waiting may try this often. */
const trialMilliseconds = 500;

/** Answers 429 with a pause, half the pace, and a slow return to the full one. */
export function createAdaptation(): Adaptation {
  let base = 1;
  let since = -Infinity;
  let pauseStart = -Infinity;
  let pauseEnd = -Infinity;
  let lastRefusal = -Infinity;
  let inARow = 0;

  function factor(at: number): number {
    if (base === 1) return 1;
    const current = Math.min(1, base + Math.max(0, (at - since) / 1000) * recoveryPerSecond);
    if (current === 1) base = 1;
    return current;
  }

  function endPause(at: number): void {
    pauseEnd = at;
    since = at;
  }

  return {
    factor,
    pausedUntil: (lane) => (lane === 'background' ? pauseEnd : Math.min(pauseEnd, lastRefusal + trialMilliseconds)),
    succeeded(sentAt, at) {
      inARow = 0;
      if (sentAt >= pauseStart && sentAt < pauseEnd) endPause(at);
    },
    throttled(sentAt, at, retryAfterSeconds) {
      lastRefusal = at;
      if (sentAt < pauseEnd) return;
      inARow++;
      const own = Math.min(firstPauseSeconds * 2 ** (inARow - 1), longestPauseSeconds);
      const seconds = Math.min(Math.max(retryAfterSeconds ?? own, shortestObeyedSeconds), longestObeyedSeconds);
      base = Math.max(smallestFactor, factor(at) / 2);
      pauseStart = at;
      endPause(at + seconds * 1000);
    },
  };
}
