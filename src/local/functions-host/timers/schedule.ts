import { Cron } from 'croner';
import { parseTimeSpan } from '../configuration/time-span.ts';

/** When a timer is due. */
export interface Schedule {
  /** The first time after `time`. */
  next(time: Date): Date;
  /** False for a plain interval. */
  adjustForDaylightSaving: boolean;
}

const minuteMilliseconds = 60_000;

/**
 * Reads an NCRONTAB expression of five or six fields, or a TimeSpan.
 * @param timeZone the worker's `TZ`
 * @throws Error when it is neither
 */
export function parseSchedule(text: string, timeZone: string): Schedule {
  const interval = parseTimeSpan(text);
  if (interval !== undefined && interval > 0) {
    return { next: (time) => new Date(time.getTime() + interval), adjustForDaylightSaving: false };
  }
  const fields = text.trim().split(/\s+/);
  // The library knows more than NCRONTAB does.
  const isCrontab = (fields.length === 5 || fields.length === 6) && fields.every((field) => /^[\w*,/-]+$/.test(field));
  if (!isCrontab || fields.some((field) => /[LW]$|\?/.test(field))) {
    throw new Error(
      `The schedule expression '${text}' was not recognized as a valid cron expression or timespan string.`,
    );
  }
  const pattern = fields.length === 5 ? ['0', ...fields].join(' ') : fields.join(' ');
  const cron = new Cron(pattern, { paused: true, timezone: timeZone, domAndDow: true, mode: '6-part' });
  return {
    adjustForDaylightSaving: true,
    next(time) {
      const next = cron.nextRun(time);
      if (!next) throw new Error(`The schedule '${text}' is never due.`);
      return next;
    },
  };
}

/** Whether two of the next times are less than a minute apart: the host keeps no status of such a timer. */
export function isSubMinute(schedule: Schedule, now: Date): boolean {
  let time = schedule.next(now);
  for (let count = 0; count < 4; count++) {
    const next = schedule.next(time);
    if (next.getTime() - time.getTime() < minuteMilliseconds) return true;
    time = next;
  }
  return false;
}
