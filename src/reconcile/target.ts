import { createHash } from 'node:crypto';
import type { KeyExchangeKeys } from '../key-vault/key-exchange-key.ts';
import type { TargetVault } from '../key-vault/target-vault.ts';
import type { ProviderRecord } from '../state/providers.ts';
import type { VaultNames } from '../state/vault-names.ts';
import { KeyfleetError } from '../errors.ts';
import type { Lane } from './governor/index.ts';

/** How the reconciler reaches the vault that a provider stands for. */
export interface Targets {
  /**
   * Makes no request. Calls to the vault wait for their turn.
   * @throws KeyfleetError `invalid_request` if the credentials don't suffice (any more)
   */
  open(provider: ProviderRecord, lane: Lane): TargetVault;
  keyExchangeKeys: KeyExchangeKeys;
}

/**
 * Marks what we made in a vault with whom it was made for: the provider, and for all but key exchange keys the key. The
 * same key, sent to one vault through two providers, is there twice and belongs to each of them apart.
 */
export function ownerOf(mount: string, provider: string, key?: string): string {
  return key === undefined ? `${mount}/${provider}` : `${mount}/${provider}/${key}`;
}

/**
 * Unlike any other in the vault: the name of a deleted key can't be used again until it is purged, and several providers
 * may stand for one vault.
 * @param owner of the provider, from {@link ownerOf}
 */
export function keyExchangeKeyName(owner: string, now: Date): string {
  const ownerHash = createHash('sha256').update(owner).digest('hex').slice(0, 8);
  return `keyfleet-kek-${Math.floor(now.getTime() / 1000)}-${ownerHash}`;
}

/** The names that {@link claimKmsName} gives to copies of a key, in words. */
export function kmsNameForm(key: string): string {
  return `${key}-<unix seconds>`;
}

/** More keys than this that want one name at once, and something else is wrong. */
const mostClaims = 100;

/**
 * Takes a name for a key in a vault, unlike any that a key had there before: the key's own and the seconds of `now`, as
 * Vault has it, or of the first moment after that which is free.
 * @throws KeyfleetError `unavailable` if there is none near
 */
export async function claimKmsName(
  vaultNames: VaultNames,
  { keyCollection, key, now }: { keyCollection: string; key: string; now: Date },
): Promise<string> {
  const first = Math.floor(now.getTime() / 1000);
  for (let seconds = first; seconds < first + mostClaims; seconds++) {
    const kmsName = `${key}-${seconds}`;
    if (await vaultNames.claim(keyCollection, kmsName)) return kmsName;
  }
  throw new KeyfleetError('unavailable', `too many keys called "${key}" go to Key Vault "${keyCollection}" at once`);
}
