import { AzureFailure, isAzureFailure } from '../azure-failure.ts';
import type { DistributionReference } from '../messaging/index.ts';
import type { DistributionRecord, DistributionState, KeyState, PlacementRecord, Stored } from '../state/key-records.ts';
import type { KeyStore } from '../state/keys.ts';
import type { ProviderRecord, ProviderStore } from '../state/providers.ts';
import type { VaultNames } from '../state/vault-names.ts';
import { tagNames, type ImportRequest, type Placed, type VersionImporter } from './import-version.ts';
import type { Step } from './plan.ts';
import { claimKmsName, ownerOf, type Targets } from './target.ts';

export interface StepContext {
  reference: DistributionReference;
  provider: Stored<ProviderRecord>;
  state: KeyState;
  distribution: DistributionState;
}

export interface StepRunner {
  /**
   * Does one step and records what the vault confirmed. Returns without an effect if somebody changed the distribution
   * meanwhile: the caller reads again and plans again.
   * @throws AzureFailure
   */
  run(step: Step, context: StepContext): Promise<void>;
  /** Gives up the provider's place for a key that is no longer distributed to it. */
  release(reference: DistributionReference): Promise<void>;
}

export interface StepRunnerOptions {
  keys: KeyStore;
  providers: ProviderStore;
  vaultNames: VaultNames;
  targets: Targets;
  importer: VersionImporter;
  now: () => Date;
}

export function createStepRunner(options: StepRunnerOptions): StepRunner {
  const { keys, providers, vaultNames, targets, importer, now } = options;

  async function importVersion(step: Extract<Step, { kind: 'import' }>, context: StepContext): Promise<void> {
    const { reference, provider, state } = context;
    const { distribution, placements } = context.distribution;
    const version = state.versions.find((entry) => entry.version === step.version);
    if (version === undefined) return;
    const vault = targets.open(provider);
    const { enabled } = step;
    const providerName = reference.provider;
    const request: ImportRequest = { reference, providerName, provider, vault, distribution, version, enabled };

    if (placements.length === 0) {
      // The request that booked the place may have slept so long that it was taken for dead and its place given up.
      await providers.holdKey(reference, reference.key);
    }

    const mayBeThere = placements.length === 0 || distribution.attemptedVersion === step.version;
    if (mayBeThere) {
      const found = await lookFor(request);
      if (found === 'name-is-taken') return rename(context);
      if (found !== undefined) return recordPlacement(reference, step.version, found);
    }

    const exchangeKey = await importer.prepare(request);
    if (distribution.attemptedVersion !== step.version) {
      const announced = await keys.putDistribution(reference, { ...distribution, attemptedVersion: step.version });
      if (!announced) return;
    }
    try {
      await recordPlacement(reference, step.version, await importer.import(request, exchangeKey));
    } catch (error) {
      if (isAzureFailure(error) && error.kind !== 'unknown-outcome') {
        await amend(reference, (current) => ({ ...current, attemptedVersion: 0 }));
        if (error.kind === 'conflict' && placements.length === 0) return rename(context);
      }
      throw error;
    }
  }

  async function lookFor(request: ImportRequest): Promise<Placed | 'name-is-taken' | undefined> {
    try {
      return await importer.find(request);
    } catch (error) {
      if (isAzureFailure(error, 'conflict')) return 'name-is-taken';
      throw error;
    }
  }

  /** The name is held by a key that isn't ours, or by a deleted one that the vault still keeps. */
  async function rename({ reference, provider }: StepContext): Promise<void> {
    const { keyCollection } = provider;
    const kmsName = await claimKmsName(vaultNames, { keyCollection, key: reference.key, now: now() });
    await amend(reference, (current) => ({ ...current, kmsName }));
  }

  async function setEnabled(step: Extract<Step, { kind: 'set-enabled' }>, context: StepContext): Promise<void> {
    const { reference, provider } = context;
    const { kmsName } = context.distribution.distribution;
    const vault = targets.open(provider);
    const key = await vault.setEnabled(kmsName, step.kmsVersion, step.enabled);
    if (key.enabled !== step.enabled) {
      throw new AzureFailure('unavailable', `Key Vault "${vault.name}" did not apply the change to key "${kmsName}"`);
    }
    await recordPlacement(reference, step.version, { kmsVersion: step.kmsVersion, enabled: step.enabled });
  }

  async function remove({ reference, provider, distribution }: StepContext): Promise<void> {
    const { kmsName, attemptedVersion } = distribution.distribution;
    const neverSent = distribution.placements.length === 0 && attemptedVersion === 0;
    if (!neverSent) {
      const vault = targets.open(provider);
      const key = await vault.getKey(kmsName);
      if (
        key !== undefined &&
        key.tags[tagNames.owner] !== ownerOf(reference.mount, reference.provider, reference.key)
      ) {
        throw new AzureFailure(
          'refused',
          `Key Vault "${vault.name}" has a key "${kmsName}" that Keyfleet did not make; it is not deleted`,
        );
      }
      if (key !== undefined) await vault.deleteKey(kmsName);
    }
    await keys.removeDistribution(reference, distribution);
    // A refusal may be the answer to the client's own repetition of a removal that was done.
    if ((await keys.readDistribution(reference)) === undefined) await release(reference);
  }

  async function release(reference: DistributionReference): Promise<void> {
    await providers.releaseKey(reference, reference.key);
    // Somebody may have distributed the key anew meanwhile, and that place was theirs.
    if ((await keys.readDistribution(reference)) !== undefined) await providers.holdKey(reference, reference.key);
  }

  function recordPlacement(reference: DistributionReference, version: number, placed: Placed): Promise<void> {
    const placement: PlacementRecord = { provider: reference.provider, version, ...placed, confirmedTime: now() };
    return amend(
      reference,
      ({ refusal: _refusal, delay: _delay, ...current }) => ({ ...current, attemptedVersion: 0 }),
      placement,
    );
  }

  /** Writes over whatever else changed meanwhile: what a vault confirmed is true whatever is wanted by now. */
  async function amend(
    reference: DistributionReference,
    change: (current: Stored<DistributionRecord>) => Stored<DistributionRecord>,
    placement?: PlacementRecord,
  ): Promise<void> {
    for (;;) {
      const current = await keys.readDistribution(reference);
      if (current === undefined) return;
      if (await keys.putDistribution(reference, change(current), placement)) return;
    }
  }

  return {
    run(step, context) {
      switch (step.kind) {
        case 'import':
          return importVersion(step, context);
        case 'set-enabled':
          return setEnabled(step, context);
        case 'remove':
          return remove(context);
      }
    },
    release,
  };
}
