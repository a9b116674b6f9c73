import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { resolveSettings, type Settings } from '../configuration/settings.ts';
import type { Invoker } from '../invoker.ts';
import type { RpcBinding, RpcFunctionMetadata, RpcRetryContext } from '../rpc.ts';
import { InvocationFailed, InvocationLost } from '../worker-process.ts';
import { retryDelays } from './retry-policy.ts';
import { formatTimer, type ScheduleStore } from './schedule-status.ts';
import { isSubMinute, parseSchedule } from './schedule.ts';

export interface TimerOptions {
  metadata: RpcFunctionMetadata;
  bindingName: string;
  binding: RpcBinding;
  settings: Settings;
  invoker: Invoker;
  store: ScheduleStore;
  now: () => Date;
  random: () => number;
}

export interface TimerFunction {
  start(): void;
  /** One run beside the schedule, as an administrator asks for it. */
  runNow(): void;
  stop(): void;
}

/** The longest sleep: a clock that is put forward is noticed within it. */
const longestSleepMilliseconds = 1000;

/**
 * A timer function: runs at the times of its schedule, never twice at once, once for any number of missed times.
 * @throws Error for a schedule that the host refuses
 */
export function createTimerFunction(options: TimerOptions): TimerFunction {
  const { metadata, bindingName, binding, settings, invoker, store, now, random } = options;
  const { name, retryOptions } = metadata;
  const { schedule: text, runOnStartup, useMonitor } = binding as RpcBinding & TimerBinding;
  const schedule = parseSchedule(resolveSettings(text, settings), settings['TZ'] ?? 'UTC');
  const isMonitored = useMonitor !== false && !isSubMinute(schedule, now());
  const stopping = new AbortController();

  async function tries(isPastDue: boolean): Promise<void> {
    const { adjustForDaylightSaving } = schedule;
    const status = isMonitored ? store.get(name) : undefined;
    const json = formatTimer({ adjustForDaylightSaving, status, isPastDue });
    const invocation = {
      reason: `Timer fired at ${now().toISOString()}`,
      invocationId: randomUUID(),
      inputData: [{ name: bindingName, data: { json } }],
    };
    const delays = retryDelays(retryOptions, random);
    let exception: RpcRetryContext['exception'];
    for (let retryCount = 0; ; retryCount++) {
      const retryContext = retryOptions && {
        retryCount,
        maxRetryCount: retryOptions.maxRetryCount,
        ...(exception && { exception }),
      };
      try {
        await invoker.invoke(name, retryContext ? { ...invocation, retryContext } : invocation);
        return;
      } catch (error) {
        if (error instanceof InvocationLost) throw error;
        const delay = delays.next();
        if (delay.done === true || stopping.signal.aborted) return;
        exception = { message: describe(error) };
        await wait(delay.value);
      }
    }
  }

  async function run(time: Date, isPastDue: boolean): Promise<void> {
    await tries(isPastDue);
    if (isMonitored) store.set(name, { last: time, next: schedule.next(time), lastUpdated: now() });
  }

  async function loop(): Promise<void> {
    let previous = now();
    const known = store.get(name);
    const isPastDue = isMonitored && known !== undefined && known.next < previous;
    if (isMonitored && !known)
      store.set(name, { last: undefined, next: schedule.next(previous), lastUpdated: undefined });
    if (runOnStartup === true || isPastDue) await run(previous, isPastDue);
    while (!stopping.signal.aborted) {
      const next = schedule.next(previous);
      await waitUntil(next);
      if (stopping.signal.aborted) return;
      previous = new Date(Math.max(now().getTime(), next.getTime()));
      await run(previous, false);
    }
  }

  async function waitUntil(time: Date): Promise<void> {
    for (;;) {
      const remaining = time.getTime() - now().getTime();
      if (remaining <= 0 || stopping.signal.aborted) return;
      await wait(Math.min(remaining, longestSleepMilliseconds));
    }
  }

  /** Ends early when the host stops. */
  async function wait(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: stopping.signal }).catch(() => undefined);
  }

  return {
    start: () => void loop().catch(() => stopping.abort()),
    runNow: () => void tries(false).catch(() => undefined),
    stop: () => stopping.abort(),
  };
}

interface TimerBinding {
  schedule: string;
  runOnStartup?: boolean;
  useMonitor?: boolean;
}

/** As the host reports a worker's failure to the next try. */
function describe(error: unknown): string {
  if (!(error instanceof InvocationFailed)) return String(error);
  const { message, stack } = error.failure;
  return `Result: Failure\nException: ${message}\nStack: ${stack}`;
}
