import type { Delivery, World } from './world.ts';

/** What became of the messages. */
export interface ChaosCounts {
  sent: number;
  /** Copies beyond the first. */
  doubled: number;
  delayed: number;
  /** Handed out before one that was to be seen earlier. */
  reordered: number;
  /** Taken by a process that died before it did anything; come again when their lock is over. */
  dropped: number;
  /** Never seen by anybody. */
  lost: number;
  /** Handled to the end. */
  handled: number;
}

export interface ChaoticQueue extends Pick<World, 'messaging' | 'receive'> {
  counts: ChaosCounts;
  /** From now on what is sent arrives, once and in time. What was sent before stays as late as it is. */
  calm(): void;
}

const mostCopies = 5;
const reorderWindow = 20;
const longestDelaySeconds = 86_400;

/**
 * A world's queue that does everything to messages that a queue may: copies, delays of up to a day, other orders among
 * any twenty neighbours, deliveries to processes that die at once. Some it loses for good, which a queue may not.
 * @param random from 0 to below 1
 */
export function createChaoticQueue(world: World, random: () => number): ChaoticQueue {
  const { now, messaging } = world;
  const counts: ChaosCounts = { sent: 0, doubled: 0, delayed: 0, reordered: 0, dropped: 0, lost: 0, handled: 0 };
  let isCalm = false;
  const chance = (share: number) => !isCalm && random() < share;

  function delaySeconds(): number {
    if (!chance(0.4)) return 0;
    counts.delayed++;
    // As often seconds as minutes as hours.
    return longestDelaySeconds ** random();
  }

  function counted(delivery: Delivery): Delivery {
    return {
      ...delivery,
      async complete() {
        await delivery.complete();
        counts.handled++;
      },
    };
  }

  return {
    counts,
    messaging: {
      ...messaging,
      async wake(reference, stamp, visibleTime) {
        counts.sent++;
        if (chance(0.05)) {
          counts.lost++;
          return;
        }
        const copies = chance(0.3) ? 2 + Math.floor(random() * (mostCopies - 1)) : 1;
        counts.doubled += copies - 1;
        for (let copy = 0; copy < copies; copy++) {
          const delay = delaySeconds();
          const time = delay === 0 ? visibleTime : new Date((visibleTime ?? now()).getTime() + delay * 1000);
          // Past the detection of duplicates: a message with the same body and another id.
          await messaging.wake(reference, copy === 0 ? stamp : `${stamp}.${copy}`, time);
        }
      },
    },

    async receive(which) {
      if (which !== undefined) return world.receive(which);
      const index = isCalm ? 0 : Math.floor(random() * Math.min(reorderWindow, world.visible()));
      const delivery = await world.receive(index);
      if (delivery === undefined) return undefined;
      if (index > 0) counts.reordered++;
      if (!chance(0.1)) return counted(delivery);
      counts.dropped++;
      await delivery.drop();
      return undefined;
    },

    calm: () => void (isCalm = true),
  };
}

/** Numbers from 0 to below 1, the same for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
