import type { DeadLetters } from '../../src/dead-letters.ts';
import { mostDeadLetters } from '../../src/dead-letters.ts';
import { describeDeadLetter, type BuriedMessage } from '../../src/messaging/dead-letter.ts';

/** A message that was sent again. */
export interface Replayed {
  sessionId: string | undefined;
  body: Buffer;
}

export interface MemoryDeadLetters extends DeadLetters {
  /** Oldest first. */
  readonly buried: BuriedMessage[];
  readonly replayed: Replayed[];
  /** Ids of letters that somebody else holds. */
  readonly held: Set<string>;
}

/** The dead letters of the queue in memory, held equal to the real ones by a contract. */
export function createMemoryDeadLetters(initial: readonly BuriedMessage[] = []): MemoryDeadLetters {
  const buried = [...initial];
  const replayed: Replayed[] = [];
  const held = new Set<string>();

  function take(ids: readonly string[], wanted: (message: BuriedMessage) => boolean): BuriedMessage[] {
    const taken = buried
      .slice(0, mostDeadLetters)
      .filter(
        (message) => ids.includes(message.sequenceNumber) && !held.has(message.sequenceNumber) && wanted(message),
      );
    for (const message of taken) buried.splice(buried.indexOf(message), 1);
    return taken;
  }

  return {
    buried,
    replayed,
    held,
    list: async () => ({
      letters: buried.slice(0, mostDeadLetters).map(describeDeadLetter),
      more: buried.length > mostDeadLetters,
    }),
    async replay(ids) {
      const taken = take(ids, (message) => describeDeadLetter(message).content.kind === 'ours');
      for (const { sessionId, body } of taken) {
        if (body.type === 'data') replayed.push({ sessionId, body: body.bytes });
      }
      return taken.map(({ sequenceNumber }) => sequenceNumber);
    },
    drop: async (ids) => take(ids, () => true).map(({ sequenceNumber }) => sequenceNumber),
  };
}
