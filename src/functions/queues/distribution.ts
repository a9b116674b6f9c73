import type { StartedApp } from '../started-app.ts';

/** Returning completes the message; throwing gives it back, until it is dead-lettered. */
export function createDistributionHandler(started: StartedApp): (message: unknown) => Promise<void> {
  return async (message) => {
    if (started.app === undefined) throw new Error(started.reason);
    await started.app.handleDistributionMessage(message);
  };
}
