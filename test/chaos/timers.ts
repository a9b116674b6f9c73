import { setTimeout as sleep } from 'node:timers/promises';
import type { SharedClock } from './clock.ts';
import type { Hosts } from './hosts.ts';

/** How often the platform's timers go by: the app's most frequent one is due every minute. */
const cycleSeconds = 60;
/** How long a timer takes to wake whom it has to, with room to spare. */
const pauseMilliseconds = 1500;
const betweenLooksMilliseconds = 100;
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
  /**
   * The clock is put forward in the place of waiting for the next minute, once this says that nobody is at work: who
   * is in the midst of a call would be taken for one that was paused. Absent: real time.
   */
  isIdle?: () => boolean;
}

export function createTimers({ hosts, masterKey, random, clock, isIdle }: TimersOptions): Timers {
  let cycles = 0;

  async function waitForCycle(signal: AbortSignal): Promise<void> {
    const cycleMilliseconds = cycleSeconds * 1000;
    if (isIdle === undefined) {
      return sleep(cycleMilliseconds - (clock.now().getTime() % cycleMilliseconds), undefined, { signal });
    }
    await sleep(pauseMilliseconds, undefined, { signal });
    while (!isIdle()) await sleep(betweenLooksMilliseconds, undefined, { signal });
    await clock.putForward(cycleSeconds);
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
          await waitForCycle(signal);
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
