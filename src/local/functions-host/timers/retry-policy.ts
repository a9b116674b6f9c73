import type { RpcRetryOptions } from '../rpc.ts';

/**
 * The waits between the tries of one run, in milliseconds: always the same, or doubling from the least with a fifth of
 * chance in it, up to the most.
 * @param random numbers from 0 up to 1
 */
export function* retryDelays(options: RpcRetryOptions | undefined, random: () => number): Generator<number> {
  if (!options) return;
  const { retryStrategy, maxRetryCount, delayInterval, minimumInterval, maximumInterval } = options;
  const least = (minimumInterval?.seconds ?? 0) * 1000;
  const most = (maximumInterval?.seconds ?? 0) * 1000;
  for (let count = 0; maxRetryCount < 0 || count < maxRetryCount; count++) {
    if (retryStrategy === 'fixedDelay') yield (delayInterval?.seconds ?? 0) * 1000;
    else {
      const factor = count === 0 ? 0 : (0.8 + 0.4 * random()) * 2 ** (count - 1);
      yield Math.min(least + factor * least, most);
    }
  }
}
