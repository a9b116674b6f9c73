import { createDeadlines } from './deadlines.ts';
import type { Deadline } from './deadlines.ts';
import { createDuplicateHistory } from './duplicates.ts';
import { checkMessage } from './message-check.ts';
import type { NewMessage } from './message.ts';
import type { QueueSettings } from './options.ts';
import type { Queue } from './queue.ts';
import { Refusal } from './refusal.ts';
import { deadLetterProperties } from './returns.ts';

export interface Subscription<Payload> {
  queue: Queue<Payload>;
  /** The subscription's rule. */
  wants: (message: NewMessage<Payload>) => boolean;
}

/** Takes messages as a queue does, and gives each subscription that wants one a message of its own. */
export interface Topic<Payload> {
  readonly settings: QueueSettings;
  /** @throws Refusal if the topic can't take such a message */
  check(message: NewMessage<Payload>): void;
  enqueue(message: NewMessage<Payload>, options?: { evenIfDuplicate?: boolean }): void;
  /** @returns the sequence number under which it can be cancelled */
  schedule(message: NewMessage<Payload>, at: Date): number;
  /** @throws Refusal `message-not-found`, with nothing cancelled */
  cancelScheduled(sequenceNumbers: readonly number[]): void;
  advance(): void;
  nextDeadline(): number | undefined;
  whenChanged(listener: () => void): void;
}

export function createTopic<Payload>(
  settings: QueueSettings,
  subscriptions: readonly Subscription<Payload>[],
  now: () => Date,
): Topic<Payload> {
  const listeners: (() => void)[] = [];
  const deadlines = createDeadlines();
  const scheduled = new Map<number, Deadline>();
  const nowMilliseconds = () => now().getTime();
  const { duplicateWindowMilliseconds } = settings;
  const duplicates =
    duplicateWindowMilliseconds === undefined
      ? undefined
      : createDuplicateHistory(duplicateWindowMilliseconds, nowMilliseconds);
  let lastSequenceNumber = 0;

  const advance = () => void deadlines.advance(nowMilliseconds());

  function fanOut(message: NewMessage<Payload>): void {
    lastSequenceNumber++;
    for (const { queue, wants } of subscriptions) {
      if (!wants(message)) continue;
      const timeToLiveMilliseconds = Math.min(
        message.timeToLiveMilliseconds ?? Infinity,
        settings.timeToLiveMilliseconds,
      );
      const copy = {
        ...message,
        timeToLiveMilliseconds: timeToLiveMilliseconds === Infinity ? undefined : timeToLiveMilliseconds,
      };
      if (queue.settings.requiresSession && message.sessionId === undefined) {
        const why = {
          reason: 'Session ID is null.',
          description: 'Session enabled entity does not allow a message whose session identifier is null.',
        };
        queue.deadLetters?.adopt(copy, queue.settings.name, { changedProperties: deadLetterProperties(why) });
      } else queue.enqueue(copy);
    }
  }

  return {
    settings,
    advance,
    nextDeadline: () => deadlines.next(),
    whenChanged: (listener) => void listeners.push(listener),
    check: (message) => checkMessage(message, settings),

    enqueue(message, { evenIfDuplicate = false } = {}) {
      advance();
      checkMessage(message, settings);
      if (duplicates?.seen(message.messageId) === true && !evenIfDuplicate) return;
      fanOut(message);
    },

    schedule(message, at) {
      advance();
      checkMessage(message, settings);
      const sequenceNumber = ++lastSequenceNumber;
      if (duplicates?.seen(message.messageId) === true) return sequenceNumber;
      const deadline = deadlines.add(at.getTime(), () => {
        scheduled.delete(sequenceNumber);
        fanOut(message);
      });
      scheduled.set(sequenceNumber, deadline);
      listeners.forEach((listener) => listener());
      return sequenceNumber;
    },

    cancelScheduled(sequenceNumbers) {
      advance();
      for (const number of sequenceNumbers) {
        if (!scheduled.has(number))
          throw new Refusal(
            'message-not-found',
            `The scheduled message with the sequence number ${number} was not found.`,
          );
      }
      for (const number of sequenceNumbers) {
        deadlines.cancel(scheduled.get(number));
        scheduled.delete(number);
      }
    },
  };
}
