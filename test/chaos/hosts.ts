import { setTimeout as sleep } from 'node:timers/promises';
import type { LogLine } from '../../src/local/functions-host/index.ts';
import { startHostProcess, type HostProcess } from '../../src/local/platform/host-process.ts';
import type { Platform } from '../../src/local/platform/index.ts';
import type { SharedClock } from './clock.ts';

/** Host processes of which one after the other dies and comes back. */
export interface Hosts {
  /** One that runs, by chance; waits while none does. */
  any(random: () => number): Promise<HostProcess>;
  /** Kills one of those that run, and starts another in its place at once. */
  killOne(random: () => number): Promise<void>;
  readonly kills: number;
  /** Resolves when every one runs. */
  allRunning(): Promise<void>;
  /** Ended by themselves, or didn't start. */
  readonly failures: readonly string[];
  stop(): Promise<void>;
}

export interface HostsOptions {
  platform: Platform;
  count: number;
  masterKey: string;
  clock: SharedClock;
  /** Added to the platform's. */
  settings: Readonly<Record<string, string>>;
  log: (line: LogLine) => void;
}

const pauseMilliseconds = 20;

export async function startHosts({ platform, count, masterKey, clock, settings, log }: HostsOptions): Promise<Hosts> {
  const failures: string[] = [];
  let kills = 0;
  let stopping = false;

  const start = () =>
    startHostProcess(platform, {
      masterKey,
      timersBySchedule: false,
      // A caller's share of requests isn't what is put to the test, and who waits long for an answer learns less.
      settings: { ...settings, ...clock.settings, KEYFLEET_REQUESTS_PER_SECOND: '100000', KEYFLEET_WAIT_SECONDS: '2' },
      preload: clock.preload,
      log,
    });

  type Slot = { host?: HostProcess; starting: Promise<void> };
  function fill(slot: Slot): void {
    slot.starting = start().then(
      (host) => void (slot.host = host),
      (error: unknown) => {
        failures.push(String(error));
        if (!stopping) fill(slot);
      },
    );
  }
  const slots = Array.from({ length: count }, (): Slot => ({ starting: Promise.resolve() }));
  for (const slot of slots) fill(slot);
  await Promise.all(slots.map(({ starting }) => starting));

  function running(): Slot[] {
    return slots.filter((slot) => {
      if (slot.host === undefined) return false;
      if (slot.host.isRunning) return true;
      failures.push(`host process ${slot.host.processId} ended by itself`);
      delete slot.host;
      fill(slot);
      return false;
    });
  }

  const choose = (among: readonly Slot[], random: () => number) => among[Math.floor(random() * among.length)];

  return {
    failures,
    get kills() {
      return kills;
    },
    async any(random) {
      for (;;) {
        const host = choose(running(), random)?.host;
        if (host !== undefined) return host;
        await sleep(pauseMilliseconds);
      }
    },
    async killOne(random) {
      const slot = choose(running(), random);
      if (slot?.host === undefined) return;
      const { host } = slot;
      delete slot.host;
      kills++;
      await host.kill();
      fill(slot);
    },
    async allRunning() {
      while (running().length < count) await Promise.all(slots.map(({ starting }) => starting));
    },
    async stop() {
      stopping = true;
      await Promise.all(slots.map(({ starting }) => starting));
      await Promise.all(slots.map(async ({ host }) => host?.kill()));
    },
  };
}
