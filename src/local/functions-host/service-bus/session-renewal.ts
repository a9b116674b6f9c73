import { isServiceBusError, type ServiceBusSessionReceiver } from '@azure/service-bus';
import { setTimeout as sleep } from 'node:timers/promises';

/** Before the lock ends, at the latest; so much of it is left for what may delay a renewal. */
const bufferMilliseconds = 20_000;
const retryMilliseconds = 250;

/**
 * Renews the lock of a session until `signal` says otherwise, or it is held until `endTime` says. As the real host's client does,
 * and unlike the one for JavaScript, which never tries again: one renewal that fails isn't the last.
 */
export async function keepLocked(
  receiver: ServiceBusSessionReceiver,
  endTime: () => number,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (let lockedUntil = receiver.sessionLockedUntilUtc.getTime(); ;) {
      const left = Math.max(0, lockedUntil - Date.now());
      await sleep(left - Math.min(left / 2, bufferMilliseconds), undefined, { signal });
      if (lockedUntil < endTime()) lockedUntil = (await renewed(receiver, signal)).getTime();
      else await sleep(retryMilliseconds, undefined, { signal });
    }
  } catch {
    // Given back, or lost: then the broker gives the message to somebody else.
  }
}

async function renewed(receiver: ServiceBusSessionReceiver, signal: AbortSignal): Promise<Date> {
  for (;;) {
    try {
      return await receiver.renewSessionLock({ abortSignal: signal });
    } catch (error) {
      if (signal.aborted || (isServiceBusError(error) && error.code === 'SessionLockLost')) throw error;
      await sleep(retryMilliseconds, undefined, { signal });
    }
  }
}
