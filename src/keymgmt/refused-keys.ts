import type { DistributionState, KeyState } from '../state/key-records.ts';
import type { KeyStore } from '../state/keys.ts';
import type { ProviderReference, ProviderStore } from '../state/providers.ts';

/** A key that a provider's vault refused something of. */
export interface RefusedKey {
  state: KeyState;
  refused: DistributionState;
}

/** Finds what a provider's vault refused, one key at a time. */
export async function* refusedKeys(
  { keys, providers }: { keys: KeyStore; providers: ProviderStore },
  reference: ProviderReference,
): AsyncGenerator<RefusedKey> {
  for (const key of await providers.listKeys(reference)) {
    const state = await keys.read({ mount: reference.mount, key });
    const refused = state?.distributions.find(
      ({ distribution }) => distribution.provider === reference.provider && distribution.refusal !== undefined,
    );
    if (state !== undefined && refused !== undefined) yield { state, refused };
  }
}
