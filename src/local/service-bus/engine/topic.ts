import type { NewMessage } from './message.ts';
import type { Queue } from './queue.ts';
import type { QueueSettings } from './options.ts';

export interface Topic<Payload> {
  readonly settings: QueueSettings;
  check(message: NewMessage<Payload>): void;
  enqueue(message: NewMessage<Payload>, options?: { evenIfDuplicate?: boolean }): void;
  schedule(message: NewMessage<Payload>, at: Date): number;
  cancelScheduled(sequenceNumbers: readonly number[]): void;
  readonly subscriptions: readonly Queue<Payload>[];
}
