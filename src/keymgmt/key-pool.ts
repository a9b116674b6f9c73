import type { KeyPairStore } from '../state/key-pairs.ts';
import type { GenerateKeyPair } from './key-generation.ts';
import type { KeyType } from './key-types.ts';

/** How many pairs are kept ready; none of the types that aren't named. */
export type KeyPoolSizes = Partial<Record<KeyType, number>>;

/** Most pairs of one type: what is there can be told with twenty requests, and fills at night. */
export const mostPairsOfType = 20_000;

export interface PooledGenerationOptions {
  pairs: KeyPairStore;
  sizes: KeyPoolSizes;
  /** Makes the pairs that the pool doesn't have. */
  generate: GenerateKeyPair;
  /** From 0 on, below 1. */
  random: () => number;
  /** Told why the pool gave no pair, where it should have. */
  report: (message: string, error: unknown) => void;
}

/** Takes pairs from the pool, and generates where there are none: the pool only ever makes things faster. */
export function createPooledGeneration(options: PooledGenerationOptions): GenerateKeyPair {
  const { pairs, sizes, generate, random, report } = options;

  async function takePair(type: KeyType) {
    const size = sizes[type] ?? 0;
    if (size === 0) return undefined;
    try {
      // Not all who take a pair at once shall want the same one.
      return await pairs.take(type, Math.floor(random() * size));
    } catch (error) {
      report('the pool of key pairs could not be used: a pair is generated instead', error);
      return undefined;
    }
  }

  return async (type, request) => (await takePair(type)) ?? generate(type, request);
}
