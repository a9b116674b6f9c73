import type { WorkerExit } from './worker-process.ts';

export type RestartDecision =
  | { kind: 'restart'; delayMilliseconds: number }
  /** Nothing restarts the worker and nobody is told: every call waits for good. */
  | { kind: 'stay-down' }
  | { kind: 'stop-host' };

const firstDelayMilliseconds = 200;
const distanceMilliseconds = 10_000;
const crashLimit = 3;
const crashWindowMilliseconds = 30 * 60_000;

/**
 * What the host does when its worker ends: the first crash is followed by a restart at once, a later one by a restart
 * no sooner than ten seconds after the previous, and the third within thirty minutes by the host's own end. Exit code
 * 200 asks for a restart and isn't counted; exit code 0 is not noticed.
 */
export function createRestartPolicy({ now }: { now: () => Date }): (exit: WorkerExit) => RestartDecision {
  let crashes: number[] = [];
  let previousRestart = -Infinity;
  return ({ code }) => {
    if (code === 0) return { kind: 'stay-down' };
    const time = now().getTime();
    if (code !== 200) {
      crashes = [...crashes.filter((crash) => time - crash < crashWindowMilliseconds), time];
      if (crashes.length >= crashLimit) return { kind: 'stop-host' };
    }
    const restart =
      code === 200
        ? time + firstDelayMilliseconds
        : Math.max(time + firstDelayMilliseconds, previousRestart + distanceMilliseconds);
    previousRestart = restart;
    return { kind: 'restart', delayMilliseconds: restart - time };
  };
}
