import { beforeAll, describe, expect, it } from 'vitest';
import type { ScheduleStore } from '../../../src/local/functions-host/index.ts';
import { retryDelays } from '../../../src/local/functions-host/timers/retry-policy.ts';
import { parseSchedule } from '../../../src/local/functions-host/timers/schedule.ts';
import { type RunningApp, startApp } from './support/app.ts';
import { exchange, requestText } from './support/raw-client.ts';

interface Run {
  at: number;
  timer: {
    schedule: unknown;
    scheduleStatus: { last: string; next: string; lastUpdated: string } | null;
    isPastDue: boolean;
  };
  invocationId: string;
  retryContext?: { retryCount: number; maxRetryCount: number; exception?: { message: string } };
  metadata: unknown;
  end?: number;
}

let app: RunningApp;

const recordsOf = (name: string, from = app): Run[] =>
  from.messages(`Function.${name}.User`).map((message) => JSON.parse(message) as Run);

/** Waits for so many runs. */
async function runsOf(name: string, count: number, from = app): Promise<Run[]> {
  await from.line(() => recordsOf(name, from).length >= count);
  return recordsOf(name, from).slice(0, count);
}

const seconds = (a: Run | undefined, b: Run | undefined): number =>
  Math.round(((b?.at ?? NaN) - (a?.at ?? NaN)) / 100) / 10;
const timeFormat = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?\+00:00$/;

async function runByAdministrator(name: string, from = app, key = 'master'): Promise<number> {
  const headers = [`X-Functions-Key: ${key}`];
  return (await exchange(from.host.port, requestText('POST', `/admin/functions/${name}`, { headers, body: '{}' })))
    .status;
}

beforeAll(async () => {
  app = await startApp({ app: 'timers', host: { masterKey: 'master' } });
});

describe('schedules', () => {
  const next = (text: string, after: string, zone = 'UTC'): string =>
    parseSchedule(text, zone).next(new Date(after)).toISOString();

  it('are of five or six fields, or a TimeSpan', () => {
    expect(next('*/5 * * * *', '2026-11-22T10:01:30Z')).toBe('2026-11-22T10:05:00.000Z');
    expect(next('30 */5 * * * *', '2026-11-22T10:01:30Z')).toBe('2026-11-22T10:05:30.000Z');
    expect(next('0 30 9-17 * * Mon-Fri', '2026-11-20T17:45:00Z')).toBe('2026-11-23T09:30:00.000Z');
    expect(next('00:00:02', '2026-11-22T10:01:30.500Z')).toBe('2026-11-22T10:01:32.500Z');
    expect(next('1.02:00:00', '2026-11-22T00:00:00Z')).toBe('2026-11-23T02:00:00.000Z');
  });

  it('need both day of month and day of week to match', () => {
    expect(next('0 0 0 13 * 5', '2026-11-14T00:00:00Z')).toBe('2027-08-13T00:00:00.000Z');
  });

  it('are in UTC, or in the zone of TZ', () => {
    expect(next('0 0 12 * * *', '2026-07-01T00:00:00Z')).toBe('2026-07-01T12:00:00.000Z');
    expect(next('0 0 12 * * *', '2026-07-01T00:00:00Z', 'Europe/Berlin')).toBe('2026-07-01T10:00:00.000Z');
  });

  it.each(['', '* * * *', '0 0 0 1 1 * 2030', '0 0 0 L * *', '0 0 0 ? * *', '@daily', '0 99 * * * *', '25:00:00'])(
    'are refused when NCRONTAB would: "%s"',
    (text) => {
      expect(() => parseSchedule(text, 'UTC')).toThrow();
    },
  );
});

describe('retry policies', () => {
  const exponential = {
    retryStrategy: 'exponentialBackoff' as const,
    maxRetryCount: 5,
    minimumInterval: { seconds: 1 },
    maximumInterval: { seconds: 10 },
  };

  it('double their delay from the least, with a fifth of chance, up to the most', () => {
    expect([...retryDelays(exponential, () => 0.5)]).toEqual([1000, 2000, 3000, 5000, 9000]);
    expect([...retryDelays(exponential, () => 0)].slice(0, 4)).toEqual([1000, 1800, 2600, 4200]);
    expect([...retryDelays({ ...exponential, maxRetryCount: 6 }, () => 1)].slice(4)).toEqual([10_000, 10_000]);
  });

  it('keep the id and tell each try its number, and later ones what went wrong', async () => {
    const runs = await runsOf('retried', 3);
    expect(runs.map(({ retryContext }) => retryContext?.retryCount)).toEqual([0, 1, 2]);
    expect(runs.map(({ retryContext }) => retryContext?.maxRetryCount)).toEqual([2, 2, 2]);
    expect(new Set(runs.map(({ invocationId }) => invocationId)).size).toBe(1);
    expect(runs[0]?.retryContext?.exception).toBeUndefined();
    expect(runs[1]?.retryContext?.exception?.message).toMatch(
      /^Result: Failure\nException: again\nStack: Error: again\n/,
    );
    expect([seconds(runs[0], runs[1]), seconds(runs[1], runs[2])].map(Math.round)).toEqual([1, 1]);
  });

  it('have no delay below half a second', async () => {
    const runs = await runsOf('hasty', 4);
    expect(seconds(runs[0], runs[3])).toBeLessThan(0.5);
  });
});

describe('the timer object', () => {
  it('has neither a status below a minute nor metadata', async () => {
    const [run] = await runsOf('everySecond', 1);
    expect(run?.timer).toEqual({ schedule: { adjustForDST: true }, scheduleStatus: null, isPastDue: false });
    expect(run?.metadata).toBe('none');
    expect((await runsOf('span', 1))[0]?.timer).toEqual({
      schedule: { adjustForDST: false },
      scheduleStatus: null,
      isPastDue: false,
    });
  });

  it('has a status from a minute on: never, before the first run; then the last and the next time', async () => {
    const [run] = await runsOf('onStartup', 1);
    expect(run?.timer.scheduleStatus).toMatchObject({
      last: '0001-01-01T00:00:00+00:00',
      lastUpdated: '0001-01-01T00:00:00+00:00',
      next: expect.stringMatching(/^\d{4}-01-01T00:00:00\+00:00$/) as string,
    });
    expect(await runByAdministrator('onStartup')).toBe(202);
    const [, again] = await runsOf('onStartup', 2);
    expect(again?.timer.scheduleStatus?.last).toMatch(timeFormat);
    expect(Date.parse(again?.timer.scheduleStatus?.last ?? '')).toBeLessThanOrEqual(run?.at ?? 0);
    expect(again?.timer.scheduleStatus?.lastUpdated).toMatch(timeFormat);
    expect(again?.timer.scheduleStatus?.next).toBe(run?.timer.scheduleStatus?.next);
  });

  it('has none with useMonitor false', async () => {
    expect(await runByAdministrator('unmonitored')).toBe(202);
    expect((await runsOf('unmonitored', 1))[0]?.timer.scheduleStatus).toBeNull();
  });
});

describe('ticks', () => {
  it('come with the schedule', async () => {
    const runs = await runsOf('everySecond', 3);
    expect([seconds(runs[0], runs[1]), seconds(runs[1], runs[2])].map(Math.round)).toEqual([1, 1]);
    expect(runs.every(({ at }) => at % 1000 < 600)).toBe(true);
  });

  it('of a TimeSpan come first one span after the start, not at once', async () => {
    const started = recordsOf('onStartup')[0];
    const [run] = await runsOf('span', 1);
    expect(Math.round(seconds(started, run))).toBe(2);
  });

  it('never overlap; what was missed meanwhile is one run, right after the end', async () => {
    await app.line(() => recordsOf('slow').filter(({ end }) => end === undefined).length >= 3);
    const records = recordsOf('slow').slice(0, 5);
    expect(records.map(({ end }) => end === undefined)).toEqual([true, false, true, false, true]);
    for (const index of [2, 4]) {
      expect((records[index]?.at ?? 0) - (records[index - 1]?.end ?? 0)).toBeLessThan(450);
    }
  });

  it('come as usual after a throw', async () => {
    const runs = await runsOf('throwing', 2);
    expect(Math.round(seconds(runs[0], runs[1]))).toBe(1);
    expect(app.lines.some(({ level, message }) => level === 'error' && message.includes('every time'))).toBe(true);
  });
});

describe('POST /admin/functions/<name>', () => {
  it('runs a timer for the holder of the master key, whatever the case of its name', async () => {
    expect(await runByAdministrator('HOURLY')).toBe(202);
    expect((await runsOf('hourly', 1))[0]?.timer.isPastDue).toBe(false);
    expect(await runByAdministrator('hourly', app, 'wrong')).toBe(401);
    expect(await runByAdministrator('nobody')).toBe(404);
  });

  it('is the only thing that runs one where another instance holds the lock', async () => {
    const other = await startApp({ app: 'timers', host: { masterKey: 'master', timersBySchedule: false } });
    // Slower than the second after which every timer of this app that isn't held back has run.
    await runsOf('everySecond', recordsOf('everySecond').length + 2);
    expect(other.lines.filter(({ category }) => category.endsWith('.User'))).toEqual([]);
    expect(await runByAdministrator('everySecond', other)).toBe(202);
    expect(await runsOf('everySecond', 1, other)).toHaveLength(1);
  });
});

describe('what a host missed while it was down', () => {
  const files = {
    'app.js': `
      import { app } from '@azure/functions';
      const handler = (timer, context) => context.log(JSON.stringify({ at: Date.now(), timer }));
      app.timer('hourly', { schedule: '0 0 * * * *', handler });
      app.timer('startup', { schedule: '0 0 * * * *', runOnStartup: true, handler });
      app.timer('unmonitored', { schedule: '0 0 * * * *', useMonitor: false, handler });`,
  };

  it('is made up for by one run that is past due, when it is given the status', async () => {
    const scheduleStore: ScheduleStore = new Map();
    let time = Date.parse('2026-11-22T10:30:00Z');
    const host = { scheduleStore, now: () => new Date(time), masterKey: 'master' };
    const before = await startApp({ files, host });
    expect((await runsOf('startup', 1, before))[0]?.timer.isPastDue).toBe(false);
    await before.host.stop();
    expect(before.messages('Function.hourly.User')).toEqual([]);

    time = Date.parse('2026-11-22T14:10:00Z');
    const after = await startApp({ files, host });
    const [missed] = await runsOf('hourly', 1, after);
    expect(missed?.timer).toMatchObject({ isPastDue: true, scheduleStatus: { next: '2026-11-22T11:00:00+00:00' } });
    expect((await runsOf('startup', 1, after))[0]?.timer.isPastDue).toBe(true);
    await expect.poll(() => scheduleStore.get('hourly')?.last?.getTime()).toBe(time);

    time = Date.parse('2026-11-22T15:00:00Z');
    const [, onTime] = await runsOf('hourly', 2, after);
    expect(onTime?.timer).toMatchObject({
      isPastDue: false,
      scheduleStatus: { last: '2026-11-22T14:10:00+00:00', next: '2026-11-22T15:00:00+00:00' },
    });
    await runsOf('unmonitored', 1, after);
    expect(recordsOf('hourly', after)).toHaveLength(2);
    expect(recordsOf('unmonitored', after)).toHaveLength(1);
  });
});

describe('a worker that is restarted', () => {
  it('leaves the timers alone: they know what was', async () => {
    const source = `${files()} app.http('crash', { handler: () => { setImmediate(() => process.exit(1)); return {}; } });`;
    const own = await startApp({ files: { 'app.js': source }, host: { masterKey: 'master' } });
    await runsOf('started', 1, own);
    const before = own.host.workerPid;
    await exchange(own.host.port, requestText('GET', '/crash'));
    expect(await runByAdministrator('started', own)).toBe(202);
    await own.line(() => own.host.workerPid !== before);
    expect(await runByAdministrator('started', own)).toBe(202);
    const runs = await runsOf('started', 2, own);
    expect(runs[1]?.timer.scheduleStatus?.last).toMatch(timeFormat);
  });

  const files = (): string => `
    import { app } from '@azure/functions';
    app.timer('started', { schedule: '0 0 0 1 1 *', runOnStartup: true, handler: (timer, context) => context.log(JSON.stringify({ timer })) });`;
});
