/** What the host remembers of a timer. undefined: never. */
export interface ScheduleStatus {
  last: Date | undefined;
  next: Date;
  lastUpdated: Date | undefined;
}

/** Statuses by function name. A host that is given an earlier host's store knows what was missed in between. */
export type ScheduleStore = Map<string, ScheduleStatus>;

const never = '0001-01-01T00:00:00+00:00';

/** The trigger's data as the host sends it: .NET names and times. */
export function formatTimer(timer: {
  adjustForDaylightSaving: boolean;
  status: ScheduleStatus | undefined;
  isPastDue: boolean;
}): string {
  const { status } = timer;
  return JSON.stringify({
    Schedule: { AdjustForDST: timer.adjustForDaylightSaving },
    ScheduleStatus: status
      ? { Last: format(status.last), Next: format(status.next), LastUpdated: format(status.lastUpdated) }
      : null,
    IsPastDue: timer.isPastDue,
  });
}

function format(time: Date | undefined): string {
  return time ? `${time.toISOString().replace(/\.?0*Z$/, '')}+00:00` : never;
}
