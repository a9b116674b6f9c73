import type { StartedApp } from '../started-app.ts';

/** Less than passes between two runs, and far less than a function may take. */
const mostMilliseconds = 270_000;

/** Fills the pool for as long as it may; the next run goes on. */
export function createKeyPoolHandler(started: StartedApp): () => Promise<void> {
  return async () => {
    if (started.app === undefined) throw new Error(started.reason);
    await started.app.fillKeyPool(AbortSignal.timeout(mostMilliseconds));
  };
}
