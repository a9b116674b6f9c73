/** How RSA-4096 keys are made while name look-ups are measured: none, by the service's generator, or all at once. */
export type Mode = 'idle' | 'generator' | 'unbounded';

/** What the measuring process writes, as one line of JSON. */
export interface Measurement {
  /** Of each look-up, in the order in which they were asked for. */
  lookupMilliseconds: number[];
  /** Until the last key was there; 0 when idle. */
  generationMilliseconds: number;
}

/** How many keys are asked for at once. */
export const keyCount = 8;
