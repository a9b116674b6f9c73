import { isKeyfleetError } from '../../src/errors.ts';
import { createKeyPairGenerator } from '../../src/keymgmt/key-generation.ts';
import { createKeyPoolFilling } from '../../src/keymgmt/key-pool-filling.ts';
import type { KeyPoolSizes } from '../../src/keymgmt/key-pool.ts';
import type { KeyType } from '../../src/keymgmt/key-types.ts';
import type { KeyPair } from '../../src/keymgmt/rsa-key-pair.ts';
import type { Platform } from '../../src/local/platform/index.ts';
import { openState } from '../../src/local/open-state.ts';

/** Two pairs are made at once, of the four threads that Node has unless told otherwise. */
const threadPoolSize = 5;
const mostFailures = 5;

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
  const fill = createKeyPoolFilling({ pairs, sizes, generator, random: Math.random });
  for (let failures = 0; ; failures++) {
    try {
      return await fill(new AbortController().signal);
    } catch (error) {
      // A pair that storage may have lost is made anew the next time, as it is by the service's timer.
      if (failures === mostFailures || !isKeyfleetError(error, 'unavailable')) throw error;
    }
  }
}
