import { setTimeout as sleep } from 'node:timers/promises';
import { KeyfleetError } from '../errors.ts';

const mostTries = 20;

/**
 * Reads, decides and writes again for as long as somebody else's write comes first.
 * @param attempt answers undefined if its write was refused
 * @throws KeyfleetError `unavailable` after many tries
 */
export async function repeatUntilWritten<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 1; tries <= mostTries; tries++) {
    const result = await attempt();
    if (result !== undefined) return result;
    await sleep(Math.random() * 10 * tries);
  }
  throw new KeyfleetError('unavailable', 'too many changes at once: try again');
}
