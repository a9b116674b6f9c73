import { AzureFailure } from '../azure-failure.ts';
import type { TargetVault } from './target-vault.ts';
import type { VaultKey } from './transformations.ts';

/** Marks a key exchange key as made by us: the value names the provider that it was made for. */
export const keyExchangeKeyTag = 'keyfleet-kek';

export interface KeyExchangeKeys {
  /**
   * Checks that the vault can be reached, lets us read, and that the key exchange key, if there is one, is fit for use.
   * @throws AzureFailure
   */
  probe(vault: TargetVault, keyName: string, owner: string): Promise<void>;
  /**
   * The vault's key exchange key, made if there is none. Two instances may do so at the same time: then it has two
   * versions, and what was wrapped with either names the one it was wrapped with.
   * @throws AzureFailure `refused` where the vault can't have one (Standard) or the key isn't ours or was altered,
   * `conflict` where the name is held by a deleted key
   */
  obtain(vault: TargetVault, keyName: string, owner: string): Promise<VaultKey>;
}

/**
 * @param cacheSeconds how long a key that was read is taken as still there: a wave of imports reads it once, and a
 * vault that was just seen isn't probed again
 */
export function createKeyExchangeKeys({
  now,
  cacheSeconds = 60,
  identify = (vault) => vault,
}: {
  now: () => Date;
  cacheSeconds?: number;
  /** What is the same for all objects that stand for one vault with one sign-in. */
  identify?: (vault: TargetVault) => object;
}): KeyExchangeKeys {
  type Look = Promise<VaultKey | undefined>;
  const cache = new WeakMap<object, Map<string, { look: Look; expiresAt: number }>>();

  /** Whoever asks while somebody is looking gets the same answer; a failure, or that there is none, isn't kept. */
  function find(vault: TargetVault, keyName: string, owner: string): Look {
    const cached = cache.get(identify(vault))?.get(keyName);
    if (cached !== undefined && cached.expiresAt > now().getTime()) return cached.look;
    return remember(vault, keyName, async () => {
      const key = await vault.getKey(keyName);
      return key && checked(key, vault, keyName, owner);
    });
  }

  async function make(vault: TargetVault, keyName: string, owner: string): Promise<VaultKey> {
    const created = await vault.createKeyExchangeKey(keyName, { [keyExchangeKeyTag]: owner });
    return checked(created, vault, keyName, owner);
  }

  function remember(vault: TargetVault, keyName: string, start: () => Look): Look {
    const entries = cache.get(identify(vault)) ?? new Map<string, { look: Look; expiresAt: number }>();
    cache.set(identify(vault), entries);
    const forget = () => {
      if (entries.get(keyName)?.look === look) entries.delete(keyName);
    };
    const look = start();
    entries.set(keyName, { look, expiresAt: now().getTime() + cacheSeconds * 1000 });
    look.then((key) => (key === undefined ? forget() : undefined), forget);
    return look;
  }

  return {
    async probe(vault, keyName, owner) {
      await find(vault, keyName, owner);
    },
    async obtain(vault, keyName, owner) {
      const existing = await find(vault, keyName, owner);
      if (existing !== undefined) return existing;
      // Of those who found none at the same time, the first one makes it and the others wait for that.
      const made = await (cache.get(identify(vault))?.get(keyName)?.look ??
        remember(vault, keyName, () => make(vault, keyName, owner)));
      return made ?? make(vault, keyName, owner);
    },
  };
}

/** A key exchange key that somebody slipped in would let them read what is sent under it. */
function checked(key: VaultKey, vault: TargetVault, keyName: string, owner: string): VaultKey {
  const fault = faultOf(key, owner);
  if (fault === undefined) return key;
  throw new AzureFailure(
    'refused',
    `Key Vault "${vault.name}" has a key "${keyName}" that can't serve as key exchange key: ${fault}`,
  );
}

function faultOf(key: VaultKey, owner: string): string | undefined {
  if (key.tags[keyExchangeKeyTag] !== owner) return 'it was not made by this provider';
  if (key.type !== 'RSA-HSM') return `its type is ${key.type}, not RSA-HSM`;
  if (key.operations.length !== 1 || key.operations[0] !== 'import') {
    return `it permits ${key.operations.join(', ') || 'nothing'}, where only import is safe`;
  }
  return key.enabled ? undefined : 'it is disabled';
}
