import { createAlarm } from './amqp/alarm.ts';
import { matchesCorrelationFilter } from './amqp/correlation-filter.ts';
import { createDispatcher } from './amqp/dispatcher.ts';
import { createEntities } from './amqp/entities.ts';
import type { Entities } from './amqp/entities.ts';
import type { WireMessage } from './amqp/wire-message.ts';
import { createQueue } from './engine/create-queue.ts';
import { queueSettings } from './engine/options.ts';
import type { QueueOptions, TopicOptions } from './engine/options.ts';
import type { Queue } from './engine/queue.ts';
import { createTopic } from './engine/topic.ts';
import { inspect } from './inspection.ts';
import type { QueueInspection } from './inspection.ts';

export interface NamespaceOptions {
  queues: readonly QueueOptions[];
  topics: readonly TopicOptions[];
  now: () => Date;
}

export interface Namespace {
  entities: Entities;
  /** @throws RangeError if there is no such queue or subscription */
  inspect(path: string): QueueInspection;
  /** Nothing falls due any more. */
  stop(): void;
}

/** All entities of a namespace, each with what wakes it. @throws RangeError if Service Bus would not create one of them */
export function createNamespace({ queues, topics, now }: NamespaceOptions): Namespace {
  const entities = createEntities();
  const stoppable: { stop(): void }[] = [];

  function addQueue(path: string, securedPath: string, queue: Queue<WireMessage>, sendable: boolean): void {
    const dispatcher = createDispatcher(queue, now);
    stoppable.push(dispatcher);
    entities.add({ kind: 'queue', path, securedPath, queue, dispatcher, sendable });
    if (queue.deadLetters !== undefined) addQueue(`${path}/$DeadLetterQueue`, securedPath, queue.deadLetters, false);
  }

  function addTopic(options: TopicOptions): void {
    const subscriptions = options.subscriptions.map(({ correlationFilter, ...subscription }) => {
      const path = `${options.name}/Subscriptions/${subscription.name}`;
      const queue = createQueue<WireMessage>(queueSettings({ ...subscription, name: path }), now);
      addQueue(path, path, queue, false);
      return { queue, wants: matchesCorrelationFilter.bind(undefined, correlationFilter) };
    });
    const topic = createTopic<WireMessage>(queueSettings(options), subscriptions, now);
    const alarm = createAlarm({ nextDeadline: () => topic.nextDeadline(), now, ring });
    function ring(): void {
      topic.advance();
      alarm.set();
    }
    topic.whenChanged(ring);
    stoppable.push(alarm);
    entities.add({ kind: 'topic', path: options.name, securedPath: options.name, topic });
  }

  for (const options of queues)
    addQueue(options.name, options.name, createQueue<WireMessage>(queueSettings(options), now), true);
  topics.forEach(addTopic);

  return {
    entities,
    inspect(path) {
      const entity = entities.find(path);
      if (entity?.kind !== 'queue') throw new RangeError(`There is no queue '${path}'.`);
      return inspect(entity.queue);
    },
    stop: () => stoppable.forEach((entity) => entity.stop()),
  };
}
