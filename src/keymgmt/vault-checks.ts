import { isAzureFailure } from '../azure-failure.ts';
import { KeyfleetError, type ErrorCode } from '../errors.ts';
import { ownerOf, type Targets } from '../reconcile/target.ts';
import type { KeyState } from '../state/key-records.ts';
import type { ProviderStore } from '../state/providers.ts';
import { isPlaced } from './key-decisions.ts';

/**
 * Asks every vault that a key is in whether it can take a new version now: what it wouldn't take is refused while nothing
 * has happened yet. Only reads.
 * @throws KeyfleetError `upstream_refused` where the vault said no, `unavailable` where it said nothing or may yet take it
 */
export type CheckVaults = (state: KeyState) => Promise<void>;

export interface VaultChecksOptions {
  providers: ProviderStore;
  targets: Targets;
}

export function createVaultChecks({ providers, targets }: VaultChecksOptions): CheckVaults {
  return async ({ reference, distributions }) => {
    const placed = distributions.filter(isPlaced).filter(({ distribution }) => !distribution.removing);
    await Promise.all(
      placed.map(async ({ distribution }) => {
        const refuse = (reason: string, code: ErrorCode = 'upstream_refused') =>
          new KeyfleetError(
            code,
            `key "${reference.key}" is not rotated: provider "${distribution.provider}" can't take a new version now: ${reason}`,
          );
        if (distribution.refusal !== undefined) {
          const path = `kms/${distribution.provider}/key/${reference.key}`;
          throw refuse(`${distribution.refusal.reason}. Once that is mended, write ${path} again and then rotate`);
        }
        const provider = await providers.read({ mount: reference.mount, provider: distribution.provider });
        if (provider === undefined) return;
        const owner = ownerOf(reference.mount, distribution.provider);
        try {
          await targets.keyExchangeKeys.probe(targets.open(provider, 'interactive'), provider.kekName, owner);
        } catch (error) {
          if (isAzureFailure(error, 'throttled', 'unavailable')) throw refuse(error.message, 'unavailable');
          if (isAzureFailure(error)) throw refuse(error.message);
          throw error;
        }
      }),
    );
  };
}
