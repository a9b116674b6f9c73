/**
 * What became of a request. `refused`: certainly nothing. `unknown`: the reply was lost or said that something failed,
 * and the effect may have come about or not.
 */
export type Fate = 'accepted' | 'refused' | 'unknown';

export const fates: readonly Fate[] = ['accepted', 'refused', 'unknown'];

/** What was asked for of one key, and so what may be found of it. */
export interface KeyLedger {
  readonly name: string;
  /** To be called before a rotation is sent. @returns to be told what became of it */
  rotate(): (fate: Fate) => void;
  /** The same for a minimum. One at a time. */
  setMinimum(minimum: number): (fate: Fate) => void;
  /** The same for distributing (`there`) and removing (not `there`) the key. One at a time. */
  place(provider: string, there: boolean): (fate: Fate) => void;
  /** Somebody has seen this version. */
  seen(version: number): void;
  /** `latest_version` is at least this from now on, and at most `mostLatest` until more is asked for. */
  readonly leastLatest: number;
  readonly mostLatest: number;
  readonly minimums: ReadonlySet<number>;
  /** Every version from this one on has always been wanted enabled. */
  readonly highestMinimum: number;
  /** Whether the key is wanted at the provider; undefined if that can't be told. */
  wanted(provider: string): boolean | undefined;
  /** Removals that were sent, whatever became of them. */
  removals(provider: string): number;
}

interface Place {
  wanted: boolean | undefined;
  removals: number;
}

/** @param minimum that the key was made with */
export function createKeyLedger(name: string, minimum: number): KeyLedger {
  const places = new Map<string, Place>();
  let accepted = 0;
  let possible = 0;
  let highestSeen = 1;
  let minimums = new Set([minimum]);
  let highestMinimum = minimum;

  function placeOf(provider: string): Place {
    const place = places.get(provider) ?? { wanted: false, removals: 0 };
    places.set(provider, place);
    return place;
  }

  return {
    name,
    rotate() {
      possible++;
      return (fate) => {
        if (fate === 'accepted') accepted++;
        if (fate === 'refused') possible--;
      };
    },
    setMinimum(wanted) {
      highestMinimum = Math.max(highestMinimum, wanted);
      return (fate) => {
        if (fate === 'accepted') minimums = new Set([wanted]);
        if (fate === 'unknown') minimums.add(wanted);
      };
    },
    place(provider, there) {
      const place = placeOf(provider);
      if (!there) place.removals++;
      return (fate) => {
        if (fate === 'accepted') place.wanted = there;
        else if (fate === 'unknown' && place.wanted !== there) place.wanted = undefined;
      };
    },
    seen: (version) => void (highestSeen = Math.max(highestSeen, version)),
    get leastLatest() {
      return Math.max(highestSeen, 1 + accepted);
    },
    get mostLatest() {
      return 1 + possible;
    },
    get minimums() {
      return minimums;
    },
    get highestMinimum() {
      return highestMinimum;
    },
    wanted: (provider) => placeOf(provider).wanted,
    removals: (provider) => placeOf(provider).removals,
  };
}
