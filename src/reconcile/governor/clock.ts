import { setTimeout } from 'node:timers/promises';

/** Time as the governor sees it; suites give it one of their own. */
export interface Clock {
  /** Milliseconds that only ever go up, whatever becomes of the time of day. */
  now(): number;
  sleep(milliseconds: number): Promise<void>;
}

/** Waiting here keeps no process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (milliseconds) => setTimeout(milliseconds, undefined, { ref: false }),
};
