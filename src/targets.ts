import { createHash } from 'node:crypto';
import type { Clouds } from './identity/clouds.ts';
import { createTargetCredential } from './identity/credentials.ts';
import { resolveTargetSignIn } from './identity/target-credentials.ts';
import { createKeyExchangeKeys } from './key-vault/key-exchange-key.ts';
import { createTargetVault, type TargetVault } from './key-vault/target-vault.ts';
import type { Targets } from './reconcile/target.ts';

export interface TargetsOptions {
  clouds: Clouds;
  /** Where the AZURE_* variables are looked up. */
  environment: Record<string, string | undefined>;
  serviceClientId: string | undefined;
  now: () => Date;
}

/** More vaults than this at once, and the ones used least recently have to sign in again. */
const mostOpenVaults = 500;

/** Opens vaults with the identity that each provider asks for, and keeps them open: their tokens are worth keeping. */
export function createTargets({ clouds, environment, serviceClientId, now }: TargetsOptions): Targets {
  const open = new Map<string, TargetVault>();
  return {
    keyExchangeKeys: createKeyExchangeKeys({ now }),
    open({ keyCollection, credentials }) {
      const signIn = resolveTargetSignIn(credentials, environment, clouds);
      const identity = createHash('sha256')
        .update(JSON.stringify([keyCollection, signIn]))
        .digest('base64');
      const vault =
        open.get(identity) ??
        createTargetVault({
          name: keyCollection,
          url: `https://${keyCollection}.${signIn.cloud.keyVaultDnsSuffix}`,
          credential: createTargetCredential(signIn, serviceClientId),
        });
      open.delete(identity);
      open.set(identity, vault);
      if (open.size > mostOpenVaults) open.delete([...open.keys()][0] ?? identity);
      return vault;
    },
  };
}
