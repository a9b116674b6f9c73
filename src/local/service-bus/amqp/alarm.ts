export interface Alarm {
  /** Looks at the time of the next deadline again. */
  set(): void;
  stop(): void;
}

export interface AlarmOptions {
  nextDeadline: () => number | undefined;
  now: () => Date;
  ring: () => void;
}

/** A jump of an injected clock is noticed after this long. */
const longestSleepMilliseconds = 1000;

/** Rings when the next deadline is reached: one timer for everything that an entity waits for. */
export function createAlarm({ nextDeadline, now, ring }: AlarmOptions): Alarm {
  let timer: NodeJS.Timeout | undefined;
  return {
    set() {
      clearTimeout(timer);
      const deadline = nextDeadline();
      if (deadline === undefined) return;
      const milliseconds = Math.min(Math.max(deadline - now().getTime(), 1), longestSleepMilliseconds);
      timer = setTimeout(ring, milliseconds);
      timer.unref();
    },
    stop: () => clearTimeout(timer),
  };
}
