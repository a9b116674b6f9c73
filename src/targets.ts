import { createHash } from 'node:crypto';
import type { Clouds } from './identity/clouds.ts';
import { createTargetCredential } from './identity/credentials.ts';
import { resolveTargetSignIn, type TargetSignIn } from './identity/target-credentials.ts';
import { createKeyExchangeKeys } from './key-vault/key-exchange-key.ts';
import { createTargetVault, type TargetVault } from './key-vault/target-vault.ts';
import type { Governor, Lane } from './reconcile/governor/index.ts';
import type { Targets } from './reconcile/target.ts';
import type { ProviderRecord } from './state/providers.ts';

export interface TargetsOptions {
  clouds: Clouds;
  /** Where the AZURE_* variables are looked up. */
  environment: Record<string, string | undefined>;
  serviceClientId: string | undefined;
  governor: Governor;
  now: () => Date;
}

/** More vaults than this at once, and the ones used least recently have to sign in again. */
const mostOpenVaults = 500;

/** Opens vaults with the identity that each provider asks for, and keeps them open: their tokens are worth keeping. */
export function createTargets(options: TargetsOptions): Targets {
  const { clouds, environment, serviceClientId, governor, now } = options;
  const open = new Map<string, Record<Lane, TargetVault>>();
  /** What is known of a vault holds in every lane. */
  const vaultOfHandle = new WeakMap<TargetVault, object>();

  function createHandles({ keyCollection }: ProviderRecord, signIn: TargetSignIn, groupId: string) {
    const host = `${keyCollection}.${signIn.cloud.keyVaultDnsSuffix}`;
    const credential = createTargetCredential(signIn, serviceClientId);
    const vault = createTargetVault({ name: keyCollection, url: `https://${host}`, credential });
    const handles = governor.govern(vault, { vaultId: host.toLowerCase(), groupId });
    for (const handle of Object.values(handles)) vaultOfHandle.set(handle, vault);
    return handles;
  }

  return {
    keyExchangeKeys: createKeyExchangeKeys({ now, identify: (handle) => vaultOfHandle.get(handle) ?? handle }),
    open(provider, lane) {
      const { keyCollection, credentials, subscriptionId = '', region = '' } = provider;
      const signIn = resolveTargetSignIn(credentials, environment, clouds);
      const groupId = digest([subscriptionId.toLowerCase(), region.toLowerCase()]);
      const identity = digest([keyCollection, signIn, groupId]);
      const handles = open.get(identity) ?? createHandles(provider, signIn, groupId);
      open.delete(identity);
      open.set(identity, handles);
      if (open.size > mostOpenVaults) open.delete([...open.keys()][0] ?? identity);
      return handles[lane];
    },
  };
}

/** Short, and fit for a key in a table whatever the parts hold. */
function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
