/** An entry knows its own place, so that it can be found again at once; it can be in one heap only. */
export interface HeapEntry {
  /** -1 while it is in no heap. */
  heapPosition: number;
}

/** A priority queue whose entries can also be taken out of the middle, each operation in O(log n). */
export interface Heap<T> {
  readonly size: number;
  first(): T | undefined;
  push(entry: T): void;
  pop(): T | undefined;
  /** @returns whether the entry was there. */
  remove(entry: T): boolean;
}

/** @param before whether `a` comes out earlier than `b`; must be a strict total order. */
export function createHeap<T extends HeapEntry>(before: (a: T, b: T) => boolean): Heap<T> {
  const entries: T[] = [];

  function place(entry: T, position: number): void {
    entries[position] = entry;
    entry.heapPosition = position;
  }

  function rise(entry: T, from: number): void {
    let position = from;
    while (position > 0) {
      const parentPosition = (position - 1) >> 1;
      const parent = entries[parentPosition] as T;
      if (!before(entry, parent)) break;
      place(parent, position);
      position = parentPosition;
    }
    place(entry, position);
  }

  function sink(entry: T, from: number): void {
    let position = from;
    for (;;) {
      let childPosition = 2 * position + 1;
      if (childPosition >= entries.length) break;
      const right = childPosition + 1;
      if (right < entries.length && before(entries[right] as T, entries[childPosition] as T)) childPosition = right;
      const child = entries[childPosition] as T;
      if (!before(child, entry)) break;
      place(child, position);
      position = childPosition;
    }
    place(entry, position);
  }

  function remove(entry: T): boolean {
    const position = entry.heapPosition;
    if (position < 0) return false;
    entry.heapPosition = -1;
    const last = entries.pop() as T;
    if (last !== entry) {
      const parent = entries[(position - 1) >> 1];
      if (position > 0 && parent !== undefined && before(last, parent)) rise(last, position);
      else sink(last, position);
    }
    return true;
  }

  return {
    get size() {
      return entries.length;
    },
    first: () => entries[0],
    push: (entry) => rise(entry, entries.push(entry) - 1),
    remove,
    pop() {
      const top = entries[0];
      if (top !== undefined) remove(top);
      return top;
    },
  };
}
