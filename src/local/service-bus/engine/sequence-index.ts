/** Entries in ascending sequence numbers, appended at the end, removed anywhere, read from any number on. */
export interface SequenceIndex<T> {
  append(entry: T): void;
  remove(entry: T): void;
  from(sequenceNumber: number): IterableIterator<T>;
}

/**
 * Removed entries stay as gaps until half of the list is gaps, so that removal costs O(1) on average and finding a
 * sequence number O(log n).
 */
export function createSequenceIndex<T extends { sequenceNumber: number }>(): SequenceIndex<T> {
  let numbers: number[] = [];
  const live = new Map<number, T>();

  function compactWhenHalfGone(): void {
    if (numbers.length > 32 && live.size * 2 < numbers.length) numbers = numbers.filter((number) => live.has(number));
  }

  function lowerBound(sequenceNumber: number): number {
    let low = 0;
    let high = numbers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((numbers[middle] as number) < sequenceNumber) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    append(entry) {
      numbers.push(entry.sequenceNumber);
      live.set(entry.sequenceNumber, entry);
    },
    remove(entry) {
      live.delete(entry.sequenceNumber);
      compactWhenHalfGone();
    },
    *from(sequenceNumber) {
      for (let position = lowerBound(sequenceNumber); position < numbers.length; position++) {
        const entry = live.get(numbers[position] as number);
        if (entry !== undefined) yield entry;
      }
    },
  };
}
