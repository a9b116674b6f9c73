import { createHeap } from './heap.ts';
import type { HeapEntry } from './heap.ts';

export interface Deadline {
  readonly at: number;
}

export interface Deadlines {
  /** Calls `run` once `advance` sees a time of at least `at` (milliseconds). */
  add(at: number, run: () => void): Deadline;
  cancel(deadline: Deadline | undefined): void;
  /** When `advance` next has something to do. */
  next(): number | undefined;
  /** Runs what is due, in order of time, then of creation. @returns whether there was anything */
  advance(nowMilliseconds: number): boolean;
}

/** One ordered structure for all lock, expiry and enqueue times of an entity, instead of a timer for each message. */
export function createDeadlines(): Deadlines {
  interface Entry extends Deadline, HeapEntry {
    serial: number;
    run: () => void;
  }
  const heap = createHeap<Entry>((a, b) => a.at < b.at || (a.at === b.at && a.serial < b.serial));
  let serial = 0;
  return {
    add(at, run) {
      const entry = { at, run, serial: serial++, heapPosition: -1 };
      heap.push(entry);
      return entry;
    },
    cancel(deadline) {
      if (deadline !== undefined) heap.remove(deadline as Entry);
    },
    next: () => heap.first()?.at,
    advance(nowMilliseconds) {
      let ran = false;
      for (let due = heap.first(); due !== undefined && due.at <= nowMilliseconds; due = heap.first()) {
        heap.remove(due);
        due.run();
        ran = true;
      }
      return ran;
    },
  };
}
