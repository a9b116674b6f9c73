import type { StartedApp } from '../started-app.ts';

/** What is due is computed from stored state, never from the timer's own word. */
export function createReconcileHandler(started: StartedApp): () => Promise<void> {
  return async () => {
    if (started.app === undefined) throw new Error(started.reason);
    await started.app.sweep();
  };
}
