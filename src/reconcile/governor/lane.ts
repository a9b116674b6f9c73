/** `interactive`: somebody is waiting for it. `background`: everything else. */
export type Lane = 'interactive' | 'background';

/** For so many interactive calls in a row, one of the background goes first. */
const mostInARow = 9;

/** Lets interactive calls go before others, without the others never coming to their turn. */
export interface LaneTurns {
  /** The lower, the earlier. */
  rank(lane: Lane): number;
  /** @param othersWait whether this went before a call of the background */
  started(lane: Lane, othersWait: boolean): void;
}

export function createLaneTurns(): LaneTurns {
  let inARow = 0;
  return {
    rank(lane) {
      if (lane === 'interactive') return 1;
      return inARow >= mostInARow ? 0 : 2;
    },
    started(lane, othersWait) {
      inARow = lane === 'interactive' && othersWait ? inARow + 1 : 0;
    },
  };
}
