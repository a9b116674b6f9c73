/** Who waits for something scarce. Owners take turns; within an owner it is first come, first served. */
export interface FairQueue<Entry> {
  /** How many entries of this owner wait. */
  waitingOf(owner: string): number;
  /** @param entry waits nowhere yet */
  add(owner: string, entry: Entry): void;
  /** @returns whose turn it is, who no longer waits then */
  next(): Entry | undefined;
  /** Does nothing if the entry doesn't wait. */
  remove(owner: string, entry: Entry): void;
}

export function createFairQueue<Entry>(): FairQueue<Entry> {
  // Both kinds of collection keep the order in which things were added. No owner without an entry stays.
  const entriesByOwner = new Map<string, Set<Entry>>();

  return {
    waitingOf: (owner) => entriesByOwner.get(owner)?.size ?? 0,

    add(owner, entry) {
      const entries = entriesByOwner.get(owner);
      if (entries === undefined) entriesByOwner.set(owner, new Set([entry]));
      else entries.add(entry);
    },

    next() {
      const [turn] = entriesByOwner;
      if (turn === undefined) return undefined;
      const [owner, entries] = turn;
      const [entry] = entries;
      if (entry !== undefined) entries.delete(entry);
      entriesByOwner.delete(owner);
      if (entries.size > 0) entriesByOwner.set(owner, entries);
      return entry;
    },

    remove(owner, entry) {
      const entries = entriesByOwner.get(owner);
      if (entries?.delete(entry) && entries.size === 0) entriesByOwner.delete(owner);
    },
  };
}
