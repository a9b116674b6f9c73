import { renameSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The environment variable that tells a process which file to read its clock's lead from. */
export const clockVariable = 'KEYFLEET_CHAOS_CLOCK';

/** One clock for several processes, which can be put forward. */
export interface SharedClock {
  now(): Date;
  /** Returns once the other processes have noticed. */
  putForward(seconds: number): Promise<void>;
  /** What a process needs to have this clock. */
  settings: Readonly<Record<string, string>>;
  preload: readonly string[];
  [Symbol.asyncDispose](): Promise<void>;
}

const noticedWithinMilliseconds = 200;

export async function createSharedClock(): Promise<SharedClock> {
  const directory = await mkdtemp(join(tmpdir(), 'keyfleet-clock-'));
  const file = join(directory, 'ahead');
  let aheadMilliseconds = 0;
  const write = () => {
    // A reader must never see half of it.
    writeFileSync(`${file}.new`, String(aheadMilliseconds));
    renameSync(`${file}.new`, file);
  };
  write();
  return {
    now: () => new Date(Date.now() + aheadMilliseconds),
    async putForward(seconds) {
      aheadMilliseconds += seconds * 1000;
      write();
      await sleep(noticedWithinMilliseconds);
    },
    settings: { [clockVariable]: file },
    preload: [fileURLToPath(new URL('clock-preload.ts', import.meta.url))],
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}
