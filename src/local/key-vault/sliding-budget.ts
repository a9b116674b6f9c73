/** What may be spent in any window of a given length; `Units` are whatever the caller counts in. */
export interface SlidingBudget {
  fits(units: number, atMilliseconds: number): boolean;
  spend(units: number, atMilliseconds: number): void;
}

export function createSlidingBudget(limit: number, windowMilliseconds: number): SlidingBudget {
  let spent: { units: number; at: number }[] = [];
  let first = 0;
  let total = 0;
  const forget = (atMilliseconds: number) => {
    for (let entry = spent[first]; entry && entry.at <= atMilliseconds - windowMilliseconds; entry = spent[first]) {
      total -= entry.units;
      first++;
    }
    if (first > spent.length / 2) {
      spent = spent.slice(first);
      first = 0;
    }
  };
  return {
    fits(units, atMilliseconds) {
      forget(atMilliseconds);
      return total + units <= limit;
    },
    spend(units, atMilliseconds) {
      spent.push({ units, at: atMilliseconds });
      total += units;
    },
  };
}
