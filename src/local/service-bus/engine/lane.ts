import { createHeap } from './heap.ts';
import type { Heap } from './heap.ts';
import type { QueuedMessage } from './message.ts';
import { createSequenceIndex } from './sequence-index.ts';
import type { SequenceIndex } from './sequence-index.ts';

/** Messages that are delivered in one order: a whole queue without sessions, or one session. */
export interface Lane<Payload> {
  /** What can be delivered now, oldest first. */
  readonly ready: Heap<QueuedMessage<Payload>>;
  /** Everything that can be peeked at. */
  readonly index: SequenceIndex<QueuedMessage<Payload>>;
}

export function createLane<Payload>(): Lane<Payload> {
  return {
    ready: createHeap(
      (a, b) => a.position < b.position || (a.position === b.position && a.sequenceNumber < b.sequenceNumber),
    ),
    index: createSequenceIndex(),
  };
}
