import { createKeyPairGenerator } from '../../src/keymgmt/key-generation.ts';
import { createKeyPoolFilling } from '../../src/keymgmt/key-pool-filling.ts';
import type { KeyPoolSizes } from '../../src/keymgmt/key-pool.ts';
import type { KeyType } from '../../src/keymgmt/key-types.ts';
import type { KeyPair } from '../../src/keymgmt/rsa-key-pair.ts';
import type { Platform } from '../../src/local/platform/index.ts';
import { openState } from './state.ts';

/** Two pairs are made at once, of the four threads that Node has unless told otherwise. */
const threadPoolSize = 5;

/**
 * Fills the pool of a platform's service, straight into its tables, sealed as the service seals them. Hosts take from it
 * if their setting KEYFLEET_KEY_POOL names the same sizes.
 * @param makeKeyPair makes one pair; OpenSSL's unless given. Pairs that go round fill a large pool in seconds, where
 * nobody minds that keys are alike
 */
export async function fillKeyPool(
  platform: Platform,
  sizes: KeyPoolSizes,
  makeKeyPair?: (type: KeyType) => Promise<KeyPair>,
): Promise<void> {
  const { keyPairs: pairs } = openState(platform);
  const generator = createKeyPairGenerator({ threadPoolSize, ...(makeKeyPair && { makeKeyPair }) });
  await createKeyPoolFilling({ pairs, sizes, generator, random: Math.random })(new AbortController().signal);
}
