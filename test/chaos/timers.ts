import { setTimeout as sleep } from 'node:timers/promises';
import type { SharedClock } from './clock.ts';
import type { Hosts } from './hosts.ts';

/** How often the platform's timers go by: the app's most frequent one is due every minute. */
const cycleSeconds = 60;
/** How long the hosts have for what one cycle woke, where the clock is put forward to the next. */
const pauseMilliseconds = 2500;
const timerNames = ['reconcile'];

/** Runs the app's timers as the platform does: once a minute, on one of the instances. */
export interface Timers {
  /** Goes through cycles until it is stopped. */
  run(signal: AbortSignal): Promise<void>;
  /** So far. */
  readonly cycles: number;
}

export interface TimersOptions {
  hosts: Hosts;
  masterKey: string;
  random: () => number;
  clock: SharedClock;
  /** The clock is put forward to the next minute in the place of waiting for it. */
  putsClockForward: boolean;
}

export function createTimers({ hosts, masterKey, random, clock, putsClockForward }: TimersOptions): Timers {
  let cycles = 0;

  async function waitForMinute(signal: AbortSignal): Promise<void> {
    const cycleMilliseconds = cycleSeconds * 1000;
    const left = cycleMilliseconds - (clock.now().getTime() % cycleMilliseconds);
    await sleep(putsClockForward ? pauseMilliseconds : left, undefined, { signal });
    if (putsClockForward) await clock.putForward(cycleSeconds);
  }

  /** Another instance takes over if the one whose turn it is dies. */
  async function fire(): Promise<void> {
    for (;;) {
      const { url } = await hosts.any(random);
      const statuses = await Promise.all(timerNames.map((name) => ask(url, name)));
      if (statuses.every((status) => status === 202)) return;
    }
  }

  async function ask(url: string, name: string): Promise<number | undefined> {
    const headers = { 'X-Functions-Key': masterKey };
    const reply = await fetch(`${url}/admin/functions/${name}`, { method: 'POST', headers }).catch(() => undefined);
    return reply?.status;
  }

  return {
    get cycles() {
      return cycles;
    },
    async run(signal) {
      while (!signal.aborted) {
        try {
          await waitForMinute(signal);
        } catch (error) {
          if (signal.aborted) return;
          throw error;
        }
        cycles++;
        await fire();
      }
    },
  };
}
