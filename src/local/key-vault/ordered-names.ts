/** A sorted set of strings that answers "what comes from here on" without scanning: pages of a list of 100,000. */
export interface OrderedNames {
  add(name: string): void;
  remove(name: string): void;
  /** Up to `count` names that are equal to or above `from`, in order. */
  from(from: string, count: number): string[];
}

export function createOrderedNames(): OrderedNames {
  const names: string[] = [];
  const indexOf = (name: string): number => {
    let low = 0;
    let high = names.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((names[middle] as string) < name) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    add(name) {
      const index = indexOf(name);
      if (names[index] !== name) names.splice(index, 0, name);
    },
    remove(name) {
      const index = indexOf(name);
      if (names[index] === name) names.splice(index, 1);
    },
    from(from, count) {
      const start = indexOf(from);
      return names.slice(start, start + count);
    },
  };
}
