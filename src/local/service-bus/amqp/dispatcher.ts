import type { SessionLock } from '../engine/message.ts';
import type { Queue } from '../engine/queue.ts';
import type { WireMessage } from './wire-message.ts';

/** A link that messages of a queue can be delivered to. */
export interface Consumer {
  /** The session that it holds; absent on a queue without sessions. */
  readonly session: SessionLock | undefined;
  canTake(): boolean;
  /** Takes one message that is ready. */
  take(): void;
  /** Called whenever there is nothing (more) to deliver, so that a drain can be answered. */
  idle(): void;
}

/** Something that waits for the next session that has messages and no holder. */
export interface SessionWaiter {
  /** There is one now. */
  offer(): void;
}

export interface Dispatcher {
  addConsumer(consumer: Consumer): void;
  removeConsumer(consumer: Consumer): void;
  addWaiter(waiter: SessionWaiter): void;
  removeWaiter(waiter: SessionWaiter): void;
  /** Delivers what can be delivered, soon. */
  wake(): void;
  stop(): void;
}

/** A jump of an injected clock is noticed after this long. */
const longestSleepMilliseconds = 1000;

/** Brings the messages of one queue to its links, evenly, and wakes the queue when something falls due. */
export function createDispatcher(queue: Queue<WireMessage>, now: () => Date): Dispatcher {
  const consumers = new Set<Consumer>();
  const waiters = new Set<SessionWaiter>();
  let woken = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  function wake(): void {
    if (woken || stopped) return;
    woken = true;
    process.nextTick(dispatch);
  }

  function dispatch(): void {
    woken = false;
    if (stopped) return;
    for (const waiter of waiters) {
      if (!queue.hasWaitingSession()) break;
      waiters.delete(waiter);
      waiter.offer();
    }
    if (queue.settings.requiresSession) for (const consumer of consumers) feed(consumer);
    else shareOut();
    for (const consumer of consumers) consumer.idle();
    sleep();
  }

  function feed(consumer: Consumer): void {
    while (consumer.canTake() && queue.hasReady(consumer.session)) consumer.take();
  }

  /** One message each in turn; whoever got one goes to the end of the line. */
  function shareOut(): void {
    let passedOver = 0;
    while (passedOver < consumers.size && queue.hasReady(undefined)) {
      const [consumer] = consumers;
      if (consumer === undefined) return;
      consumers.delete(consumer);
      consumers.add(consumer);
      if (consumer.canTake()) {
        passedOver = 0;
        consumer.take();
      } else passedOver++;
    }
  }

  function sleep(): void {
    clearTimeout(timer);
    const deadline = queue.nextDeadline();
    if (deadline === undefined) return;
    const milliseconds = Math.min(Math.max(deadline - now().getTime(), 1), longestSleepMilliseconds);
    timer = setTimeout(() => {
      queue.advance();
      wake();
    }, milliseconds);
    timer.unref();
  }

  queue.whenChanged(wake);
  return {
    wake,
    addConsumer: (consumer) => void consumers.add(consumer),
    removeConsumer: (consumer) => void consumers.delete(consumer),
    addWaiter(waiter) {
      waiters.add(waiter);
      wake();
    },
    removeWaiter: (waiter) => void waiters.delete(waiter),
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
