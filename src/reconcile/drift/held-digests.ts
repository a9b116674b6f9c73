import { hash } from 'node:crypto';

/** What is remembered of a key that isn't in the vault. */
export const absence = 'absent';

/**
 * What the list of a vault is compared with. Of each key it keeps two digests, off the heap and 25 bytes together: all keys
 * are in there for as long as the list takes.
 */
export interface HeldDigests {
  /** @param seen what is remembered of the key, a digest of 16 characters or {@link absence}; undefined: nothing yet */
  add(name: string, seen: string | undefined): void;
  /** Notes how the list shows a key. @returns whether that is what is remembered, or undefined if it was never added */
  show(name: string, seen: string): boolean | undefined;
  /** What there is to remember now of a key that isn't as it is remembered; undefined if it is, or was never added. */
  changeOf(name: string): string | undefined;
  /** How many aren't as they are remembered. */
  changedCount(): number;
}

const digestBytes = 12;
const stateAt = 2 * digestBytes;
const slotBytes = stateAt + 1;
const firstCapacity = 1024;
const mostFilled = 0.75;

/** The state of a slot: nobody's; then, of a key that wasn't shown yet, what is remembered of it; then how it was shown. */
const free = 0;
const nothingKnown = 1;
const knownAbsent = 2;
const known = 3;
const asKnown = 4;
const changed = 5;

export function createHeldDigests(): HeldDigests {
  let slots = Buffer.alloc(firstCapacity * slotBytes);
  let count = 0;

  /** Where the slot of a name is, or the free one that it would get. */
  function find(digest: Buffer): number {
    const capacity = slots.length / slotBytes;
    let index = digest.readUInt32LE() % capacity;
    for (;;) {
      const start = index * slotBytes;
      if (slots[start + stateAt] === free) return start;
      if (slots.compare(digest, 0, digestBytes, start, start + digestBytes) === 0) return start;
      index = (index + 1) % capacity;
    }
  }

  function grow(): void {
    const before = slots;
    slots = Buffer.alloc(before.length * 2);
    for (let start = 0; start < before.length; start += slotBytes) {
      if (before[start + stateAt] === free) continue;
      before.copy(slots, find(before.subarray(start, start + digestBytes)), start, start + slotBytes);
    }
  }

  const readSeen = (start: number) => slots.toString('base64url', start + digestBytes, start + stateAt);

  function writeSeen(start: number, seen: string): void {
    slots.fill(0, start + digestBytes, start + stateAt);
    slots.write(seen, start + digestBytes, digestBytes, 'base64url');
  }

  return {
    add(name, seen) {
      if (++count > (slots.length / slotBytes) * mostFilled) grow();
      const digest = digestOfName(name);
      const start = find(digest);
      digest.copy(slots, start, 0, digestBytes);
      slots[start + stateAt] = seen === undefined ? nothingKnown : seen === absence ? knownAbsent : known;
      if (seen !== undefined) writeSeen(start, seen);
    },

    show(name, seen) {
      const start = find(digestOfName(name));
      const state = slots[start + stateAt];
      if (state === free) return undefined;
      const isAsKnown = (state === known || state === asKnown) && readSeen(start) === seen;
      slots[start + stateAt] = isAsKnown ? asKnown : changed;
      if (!isAsKnown) writeSeen(start, seen);
      return isAsKnown;
    },

    changeOf(name) {
      const start = find(digestOfName(name));
      const state = slots[start + stateAt] ?? free;
      if (state === changed) return readSeen(start);
      return isMissing(state) ? absence : undefined;
    },

    changedCount() {
      let found = 0;
      for (let at = stateAt; at < slots.length; at += slotBytes) {
        const state = slots[at] ?? free;
        if (state === changed || isMissing(state)) found++;
      }
      return found;
    },
  };
}

/** Of a key that the list didn't show: whether that is news. */
function isMissing(state: number): boolean {
  return state === nothingKnown || state === known;
}

/** So much of it that no two names ever have the same. */
function digestOfName(name: string): Buffer {
  return hash('sha256', name, 'buffer').subarray(0, digestBytes);
}
