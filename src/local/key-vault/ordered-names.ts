/** A sorted set of strings that answers "what comes from here on" without scanning: pages of a list of 100,000. */
export interface OrderedNames {
  add(name: string): void;
  remove(name: string): void;
  /** Up to `count` names that are equal to or above `from`, in order. */
  from(from: string, count: number): string[];
}

/** Names are kept in sorted blocks: one long array would be moved by half with every new name. */
const longestBlock = 512;

export function createOrderedNames(): OrderedNames {
  // None is empty, except that there is always one.
  const blocks: string[][] = [[]];
  const block = (index: number): string[] => blocks[index] as string[];

  /** The last block that starts at or below `name`, or the first. */
  const blockFor = (name: string): number =>
    Math.max(0, countWhile(blocks.length, (index) => (block(index)[0] ?? '') <= name) - 1);

  const positionIn = (names: string[], name: string): number =>
    countWhile(names.length, (index) => (names[index] as string) < name);

  return {
    add(name) {
      const index = blockFor(name);
      const names = block(index);
      const position = positionIn(names, name);
      if (names[position] === name) return;
      names.splice(position, 0, name);
      if (names.length > longestBlock) blocks.splice(index + 1, 0, names.splice(longestBlock / 2));
    },
    remove(name) {
      const index = blockFor(name);
      const names = block(index);
      const position = positionIn(names, name);
      if (names[position] !== name) return;
      names.splice(position, 1);
      if (names.length === 0 && blocks.length > 1) blocks.splice(index, 1);
    },
    from(from, count) {
      const first = blockFor(from);
      const found = block(first).slice(positionIn(block(first), from));
      for (let index = first + 1; found.length < count && index < blocks.length; index++) found.push(...block(index));
      return found.slice(0, count);
    },
  };
}

/** By bisection: how many of the first `length` numbers hold, where none holds after one that doesn't. */
function countWhile(length: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
