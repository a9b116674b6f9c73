import type { DistributionReference, Messaging } from '../../src/messaging/index.ts';
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

export interface ChaoticQueue extends Pick<World, 'receive' | 'queued'> {
  messaging: Messaging;
  counts: ChaosCounts;
  /** Takes the lock of a message in hand away, however long it was meant to last. @returns the next delivery */
  loseLock(reference: DistributionReference): Delivery | undefined;
  /** From now on what is sent arrives, once and in time. What was sent before stays as late as it is. */
  calm(): void;
}

interface Message {
  reference: DistributionReference;
  /** In milliseconds. */
  visibleAt: number;
}

const mostCopies = 5;
const reorderWindow = 20;
const longestDelaySeconds = 86_400;
const lockSeconds = 60;

/**
 * A queue that does everything to messages that a queue may: copies, delays of up to a day, other orders among any twenty
 * neighbours, deliveries to processes that die at once. Some it loses for good, which a queue may not.
 * @param random from 0 to below 1
 */
export function createChaoticQueue(now: () => Date, random: () => number): ChaoticQueue {
  const messages: Message[] = [];
  const stamps = new Set<string>();
  const locks = new Map<string, { until: number }>();
  const counts: ChaosCounts = { sent: 0, doubled: 0, delayed: 0, reordered: 0, dropped: 0, lost: 0, handled: 0 };
  let isCalm = false;
  const time = () => now().getTime();
  const chance = (share: number) => !isCalm && random() < share;

  function delaySeconds(): number {
    if (!chance(0.4)) return 0;
    counts.delayed++;
    // As often seconds as minutes as hours.
    return longestDelaySeconds ** random();
  }

  function deliver(message: Message): Delivery {
    const { reference } = message;
    const lock = { until: time() + lockSeconds * 1000 };
    const session = sessionOf(reference);
    locks.set(session, lock);
    const holds = () => locks.get(session) === lock && lock.until > time();
    return {
      reference,
      async complete() {
        if (!holds()) return;
        locks.delete(session);
        const position = messages.indexOf(message);
        if (position >= 0) messages.splice(position, 1);
        counts.handled++;
      },
      async abandon() {
        if (holds()) locks.delete(session);
      },
      async drop() {
        // The lock ends by itself.
      },
    };
  }

  const isVisible = ({ reference, visibleAt }: Message) =>
    visibleAt <= time() && (locks.get(sessionOf(reference))?.until ?? 0) <= time();

  return {
    counts,
    messaging: {
      async wake({ mount, key, provider }, stamp, visibleTime = now()) {
        if (stamps.has(stamp)) return;
        stamps.add(stamp);
        counts.sent++;
        if (chance(0.05)) {
          counts.lost++;
          return;
        }
        const copies = chance(0.3) ? 2 + Math.floor(random() * (mostCopies - 1)) : 1;
        counts.doubled += copies - 1;
        for (let copy = 0; copy < copies; copy++) {
          const visibleAt = visibleTime.getTime() + delaySeconds() * 1000;
          messages.push({ reference: { mount, key, provider }, visibleAt });
        }
      },
      async check() {
        // Nobody looks through vaults here.
      },
    },

    async receive() {
      const visible = messages.filter(isVisible).toSorted((left, right) => left.visibleAt - right.visibleAt);
      const index = isCalm ? 0 : Math.floor(random() * Math.min(reorderWindow, visible.length));
      const message = visible[index];
      if (message === undefined) return undefined;
      if (index > 0) counts.reordered++;
      const delivery = deliver(message);
      if (!chance(0.1)) return delivery;
      counts.dropped++;
      return undefined;
    },

    loseLock(reference) {
      locks.delete(sessionOf(reference));
      const message = messages.find((one) => isVisible(one) && sessionOf(one.reference) === sessionOf(reference));
      return message && deliver(message);
    },
    queued: () => messages.length,
    calm: () => void (isCalm = true),
  };
}

function sessionOf({ mount, key, provider }: DistributionReference): string {
  return `${mount}|${key}|${provider}`;
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
