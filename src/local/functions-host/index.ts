export { type FunctionsHost, type FunctionsHostOptions, startFunctionsHost } from './host.ts';
export type { LogLine, LogSink } from './logs.ts';
export type { ScheduleStatus, ScheduleStore } from './timers/schedule-status.ts';
