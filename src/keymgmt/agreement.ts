import type { Visit } from '../reconcile/sweep.ts';
import type { KeyStore } from '../state/keys.ts';
import type { NameIndex } from '../state/names.ts';
import type { ProviderStore } from '../state/providers.ts';

export interface AgreementOptions {
  keys: KeyStore;
  providers: ProviderStore;
  names: NameIndex;
}

/** Makes the names in a mount agree with what exists, where a request was cut short between the two. */
export function createAgreement({ keys, providers, names }: AgreementOptions): {
  key: Visit<'key'>;
  provider: Visit<'provider'>;
} {
  return {
    async key({ mount, key }) {
      await keys.finishRemoval({ mount, key });
      const exists = await keys.exists({ mount, key });
      await (exists ? names.add(mount, 'key', key) : names.remove(mount, 'key', key));
      return undefined;
    },
    async provider({ mount, provider }) {
      const exists = (await providers.read({ mount, provider })) !== undefined;
      await (exists ? names.add(mount, 'provider', provider) : names.remove(mount, 'provider', provider));
      return undefined;
    },
  };
}
