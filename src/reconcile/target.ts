import { createHash } from 'node:crypto';
import type { KeyExchangeKeys } from '../key-vault/key-exchange-key.ts';
import type { TargetVault } from '../key-vault/target-vault.ts';
import type { ProviderRecord } from '../state/providers.ts';

/** How the reconciler reaches the vault that a provider stands for. */
export interface Targets {
  /** Makes no request. @throws KeyfleetError `invalid_request` if the credentials don't suffice (any more) */
  open(provider: ProviderRecord): TargetVault;
  keyExchangeKeys: KeyExchangeKeys;
}

/** Marks what we made in a vault: names the mount and the key (or provider) that it was made for. */
export function ownerOf(mount: string, name: string): string {
  return `${mount}/${name}`;
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

/** The name of a key in a vault, unlike any it had there before. Vault names them the same way. */
export function kmsKeyName(key: string, now: Date): string {
  return `${key}-${Math.floor(now.getTime() / 1000)}`;
}
