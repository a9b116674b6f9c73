import { KeyClient } from '@azure/keyvault-keys';
import type { Platform } from '../../src/local/platform/index.ts';

/** Keys of somebody else, put into every vault before anything begins; some have names that are close to ours. */
export interface Foreign {
  names: readonly string[];
  /** @returns which of them have changed since */
  changed(): readonly string[];
}

export async function putForeignKeys(
  { vaults: urls, developer, keyVault }: Platform,
  vaults: readonly string[],
): Promise<Foreign> {
  const names = ['payments', 'key-1', `key-2-${Math.floor(Date.now() / 1000)}`];
  for (const vault of vaults) {
    const client = new KeyClient(urls.get(vault) ?? '', developer.credential, {
      disableChallengeResourceVerification: true,
    });
    for (const name of names) await client.createEcKey(name, { tags: { owner: 'somebody else' } });
  }
  const picture = (vault: string, name: string) => JSON.stringify(keyVault.inspect(vault).key(name));
  const places = vaults.flatMap((vault) => names.map((name) => ({ vault, name, before: picture(vault, name) })));
  return {
    names,
    changed: () =>
      places
        .filter(({ vault, name, before }) => picture(vault, name) !== before)
        .map(({ vault, name }) => `${vault}/${name}`),
  };
}
