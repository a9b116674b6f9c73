import type { KeyPairStore } from '../state/key-pairs.ts';
import type { KeyPairGenerator } from './key-generation.ts';
import type { KeyPoolSizes } from './key-pool.ts';
import { keyTypes, type KeyType } from './key-types.ts';

export interface KeyPoolFillingOptions {
  pairs: KeyPairStore;
  sizes: KeyPoolSizes;
  generator: Pick<KeyPairGenerator, 'generateInBackground' | 'placesInBackground'>;
  /** From 0 on, below 1. */
  random: () => number;
}

/** @param signal once aborted, nothing is begun any more */
export type FillKeyPool = (signal: AbortSignal) => Promise<void>;

/**
 * Brings the pool to its size: discards what is beyond, makes what is missing. If the process dies, the pairs that are
 * being made are lost, and nothing else; whoever fills next sees what is there. Several may fill at once: there are no
 * more slots than pairs wanted.
 */
export function createKeyPoolFilling({ pairs, sizes, generator, random }: KeyPoolFillingOptions): FillKeyPool {
  const sizeOf = (type: KeyType) => sizes[type] ?? 0;

  /** In random order: whoever takes a pair begins anywhere, and shall find one near in a pool that isn't full, too. */
  async function freeSlots(type: KeyType): Promise<number[]> {
    const held = new Set(await pairs.slots(type));
    const free = Array.from({ length: sizeOf(type) }, (_, slot) => slot).filter((slot) => !held.has(slot));
    const order = new Map(free.map((slot) => [slot, random()]));
    return free.sort((left, right) => (order.get(left) ?? 0) - (order.get(right) ?? 0));
  }

  /** The type of which the largest part is missing: no type waits until another one is complete. */
  function emptiest(free: ReadonlyMap<KeyType, number[]>): KeyType | undefined {
    let most = 0;
    let found: KeyType | undefined;
    for (const [type, slots] of free) {
      const missing = slots.length / sizeOf(type);
      if (missing <= most) continue;
      most = missing;
      found = type;
    }
    return found;
  }

  async function fillNext(type: KeyType, slots: number[], signal: AbortSignal): Promise<void> {
    let slot = slots.pop();
    const pair = await generator.generateInBackground(type, signal);
    if (pair === undefined) return;
    try {
      while (slot !== undefined && !(await pairs.put(type, slot, pair))) slot = slots.pop();
    } finally {
      pair.privateKey.fill(0);
    }
  }

  return async (signal) => {
    const free = new Map<KeyType, number[]>();
    for (const type of keyTypes) {
      await pairs.discardFrom(type, sizeOf(type));
      if (sizeOf(type) > 0) free.set(type, await freeSlots(type));
    }
    async function work(): Promise<void> {
      for (let type = emptiest(free); type !== undefined && !signal.aborted; type = emptiest(free)) {
        await fillNext(type, free.get(type) ?? [], signal);
      }
    }

    // One more than can be made at once: while it stores its pair, another one makes the next.
    const workers = Array.from({ length: generator.placesInBackground + 1 }, work);
    const refused = (await Promise.allSettled(workers)).find((outcome) => outcome.status === 'rejected');
    if (refused !== undefined) throw refused.reason;
  };
}
