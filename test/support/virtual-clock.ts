import type { Clock } from '../../src/reconcile/governor/clock.ts';

/** Time that passes only when told to, and then at once. */
export interface VirtualClock extends Clock {
  wallClock: () => Date;
  /** Lets `milliseconds` pass, everybody waking in order and doing what there is to do. */
  pass(milliseconds: number): Promise<void>;
  /** Lets time pass until `promise` is settled. @throws Error if that takes longer than `mostMilliseconds` */
  until<T>(promise: Promise<T>, mostMilliseconds?: number): Promise<T>;
}

interface Sleeper {
  at: number;
  order: number;
  wake: () => void;
}

const startOfTime = Date.parse('2026-01-01T00:00:00Z');

export function createVirtualClock(): VirtualClock {
  const heap: Sleeper[] = [];
  let time = 0;
  let order = 0;

  const isBefore = (left: Sleeper, right: Sleeper) =>
    left.at < right.at || (left.at === right.at && left.order < right.order);

  function push(sleeper: Sleeper): void {
    heap.push(sleeper);
    for (let child = heap.length - 1; child > 0;) {
      const parent = (child - 1) >> 1;
      if (!swapIfBefore(child, parent)) return;
      child = parent;
    }
  }

  function pop(): Sleeper | undefined {
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let parent = 0; ;) {
      const [left, right] = [2 * parent + 1, 2 * parent + 2];
      const child = heap[right] && heap[left] && isBefore(heap[right], heap[left]) ? right : left;
      if (!swapIfBefore(child, parent)) return first;
      parent = child;
    }
  }

  function swapIfBefore(child: number, parent: number): boolean {
    const [lower, upper] = [heap[child], heap[parent]];
    if (lower === undefined || upper === undefined || !isBefore(lower, upper)) return false;
    heap[child] = upper;
    heap[parent] = lower;
    return true;
  }

  /** Lets everything happen that needs no time. */
  const settle = () => new Promise<void>((resolve) => void setImmediate(resolve));

  async function next(limit: number): Promise<boolean> {
    const [first] = heap;
    if (first === undefined || first.at > limit) return false;
    time = Math.max(time, first.at);
    while (heap[0] !== undefined && heap[0].at <= time) pop()?.wake();
    await settle();
    return true;
  }

  return {
    now: () => time,
    wallClock: () => new Date(startOfTime + time),
    sleep: (milliseconds) =>
      new Promise((wake) => void push({ at: time + Math.max(0, milliseconds), order: order++, wake })),
    async pass(milliseconds) {
      const limit = time + milliseconds;
      await settle();
      while (await next(limit));
      time = limit;
    },
    async until(promise, mostMilliseconds = 24 * 3_600_000) {
      const limit = time + mostMilliseconds;
      let settled = false;
      const watch = promise.then(
        () => (settled = true),
        () => (settled = true),
      );
      await settle();
      while (!settled) {
        if (!(await next(limit))) throw new Error(`nothing came of it by ${limit} ms`);
      }
      await watch;
      return promise;
    },
  };
}
