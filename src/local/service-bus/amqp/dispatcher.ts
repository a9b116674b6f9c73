import type { SessionLock } from '../engine/message.ts';
import type { Queue } from '../engine/queue.ts';
import { createAlarm } from './alarm.ts';
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

/** Brings the messages of one queue to its links, evenly, and wakes the queue when something falls due. */
export function createDispatcher(queue: Queue<WireMessage>, now: () => Date): Dispatcher {
  const consumers = new Set<Consumer>();
  const waiters = new Set<SessionWaiter>();
  const alarm = createAlarm({ nextDeadline: () => queue.nextDeadline(), now, ring: dispatch });
  let woken = false;
  let stopped = false;

  function wake(): void {
    if (woken || stopped) return;
    woken = true;
    process.nextTick(dispatch);
  }

  function dispatch(): void {
    woken = false;
    if (stopped) return;
    queue.advance();
    for (const waiter of waiters) {
      if (!queue.hasWaitingSession()) break;
      waiters.delete(waiter);
      waiter.offer();
    }
    if (queue.settings.requiresSession) for (const consumer of consumers) feed(consumer);
    else shareOut();
    for (const consumer of consumers) consumer.idle();
    alarm.set();
  }

  function feed(consumer: Consumer): void {
    while (consumer.canTake() && queue.hasReady(consumer.session)) consumer.take();
  }

  /** One message each in turn; whoever was asked goes to the end of the line. */
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
      alarm.stop();
    },
  };
}
