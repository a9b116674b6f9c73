import { AzureFailure, isAzureFailure } from '../azure-failure.ts';
import type { TargetVault } from '../key-vault/target-vault.ts';
import type { DistributionReference } from '../messaging/index.ts';
import { wholeKey, type DistributionState, type KeyState, type Stored } from '../state/key-records.ts';
import type { KeyStore } from '../state/keys.ts';
import type { ProviderRecord, ProviderStore } from '../state/providers.ts';
import type { VaultNames } from '../state/vault-names.ts';
import { amendDistribution } from './amend-distribution.ts';
import { withPolicy, type Look } from './drift/look.ts';
import { createRestorer } from './drift/restore.ts';
import type { Lane } from './governor/index.ts';
import type { ImportRequest, Placed, VersionImporter } from './import-version.ts';
import type { Leases } from './leases.ts';
import { has, type Step } from './plan.ts';
import { addCopy, forgetCopy, idsOf, updateCopy } from './placements.ts';
import { mayBeInVault } from './plan-all.ts';
import { claimKmsName, type Targets } from './target.ts';
import { operationsOf, ownerTag, sameMembers, tagNames, tagsOf } from './version-marks.ts';

export interface StepContext {
  reference: DistributionReference;
  provider: Stored<ProviderRecord>;
  state: KeyState;
  distribution: DistributionState;
  /** Whether somebody waits for it. */
  lane: Lane;
}

/**
 * `done`: what the vault confirmed is recorded; or somebody changed the distribution meanwhile, and nothing was done:
 * either way the caller reads again and plans again. `gone`: nothing of the distribution is left. `heldUntil`: somebody
 * else's call may be on its way for so long.
 */
export type StepOutcome = 'done' | 'gone' | { heldUntil: Date };

export interface StepRunner {
  /** @throws AzureFailure */
  run(step: Step, context: StepContext): Promise<StepOutcome>;
  /**
   * Gives up the provider's place for a key that is not distributed to it.
   * @returns false if it is after all, or is about to be
   */
  release(reference: DistributionReference): Promise<boolean>;
}

export interface StepRunnerOptions {
  keys: KeyStore;
  providers: ProviderStore;
  vaultNames: VaultNames;
  targets: Targets;
  importer: VersionImporter;
  leases: Leases;
  look: Look;
  now: () => Date;
}

export function createStepRunner(options: StepRunnerOptions): StepRunner {
  const { keys, providers, vaultNames, targets, importer, leases, look, now } = options;
  const restore = createRestorer(options);

  async function importVersion(step: Extract<Step, { kind: 'import' }>, context: StepContext): Promise<StepOutcome> {
    const { reference, provider, state, lane } = context;
    const { distribution, placements } = context.distribution;
    const version = state.versions.find((entry) => entry.version === step.version);
    if (version === undefined) return 'done';
    const vault = targets.open(provider, lane);
    const { enabled } = step;
    const providerName = reference.provider;
    const known = new Map(placements.flatMap((placement) => idsOf(placement).map((id) => [id, placement.version])));
    const request: ImportRequest = {
      ...{ reference, providerName, provider, vault, distribution, known, version, enabled },
    };
    const heldUntil = leases.heldUntil(distribution);

    // Whoever added the distribution may have been so slow that its place was taken for a leftover.
    const isFirst = placements.length === 0 && distribution.attempt === undefined;
    if (isFirst && !(await providers.holdKey(reference, reference.key))) return 'done';

    const wasThere = placements.some((placement) => placement.version === step.version);
    const mayBeThere = placements.length === 0 || wasThere || distribution.attempt?.version === step.version;
    if (mayBeThere) {
      const found = await lookFor(request, { isHeld: heldUntil !== undefined, isNew: placements.length === 0 });
      if (found === 'name-is-taken') return rename(context);
      if (found !== undefined) return recordImport(request, distribution.attempt?.holder, found);
    }
    if (heldUntil !== undefined) return { heldUntil };

    const exchangeKey = await importer.prepare(request);
    try {
      const done = await leases.during(reference, distribution, { version: step.version }, (deadline) =>
        importer.import(request, exchangeKey, deadline),
      );
      return done === undefined ? 'done' : await recordImport(request, done.holder, done.result);
    } catch (error) {
      if (placements.length === 0 && isAzureFailure(error, 'conflict')) await rename(context);
      throw error;
    }
  }

  async function lookFor(
    request: ImportRequest,
    { isHeld, isNew }: { isHeld: boolean; isNew: boolean },
  ): Promise<Placed | 'name-is-taken' | undefined> {
    try {
      return await importer.find(request);
    } catch (error) {
      // What stands in the way is told by whoever holds the lease, or once it has run out.
      if (isHeld && isAzureFailure(error)) return undefined;
      if (!isAzureFailure(error, 'conflict')) throw error;
      if (isNew) return 'name-is-taken';
      // Consumers know the key by this name.
      throw new AzureFailure('refused', error.message, { cause: error });
    }
  }

  /** The name is held by a key that isn't ours, or by a deleted one that the vault still keeps. */
  async function rename({ reference, provider, distribution }: StepContext): Promise<StepOutcome> {
    const { keyCollection } = provider;
    const taken = distribution.distribution.kmsName;
    const kmsName = await claimKmsName(vaultNames, { keyCollection, key: reference.key, now: now() });
    await amendDistribution(keys, reference, (current) => {
      const isUsed = current.placements.length > 0 || leases.heldUntil(current.distribution) !== undefined;
      if (current.distribution.kmsName !== taken || isUsed) return undefined;
      return { distribution: { ...current.distribution, kmsName } };
    });
    return 'done';
  }

  /**
   * What a vault confirmed is true, whoever holds the lease by now; only the lease that was `holder`'s ends.
   * @param holder who made, or seems to have made, the call; undefined if that is on record nowhere
   */
  async function recordImport(
    request: ImportRequest,
    holder: string | undefined,
    placed: Placed,
  ): Promise<StepOutcome> {
    const { reference, providerName: provider, vault, version } = request;
    const { kmsName } = request.distribution;
    await amendDistribution(keys, { ...reference, provider }, async ({ distribution, placements }) => {
      // Removed meanwhile, and perhaps distributed anew: under another name.
      if (distribution.kmsName !== kmsName) return undefined;
      const { attempt, refusal: _refusal, delay: _delay, ...rest } = distribution;
      const known = placements.find((placement) => placement.version === version.version);
      return {
        distribution: { ...rest, ...(attempt && attempt.holder !== holder && { attempt }) },
        placement:
          known === undefined || has(known, 'missing')
            ? { provider, version: version.version, ...placed, confirmedTime: now() }
            : await addCopy(known, placed, async () => (await vault.getKey(kmsName))?.version),
      };
    });
    return 'done';
  }

  async function update(
    step: Extract<Step, { kind: 'set-enabled' | 'mend' }>,
    context: StepContext,
  ): Promise<StepOutcome> {
    const { reference, provider, state, lane } = context;
    const { distribution, placements } = context.distribution;
    const { kmsVersion, enabled } = step;
    const version = state.versions.find((entry) => entry.version === step.version);
    const placement = placements.find((known) => known.version === step.version);
    if (version === undefined || placement === undefined) return 'done';
    const vault = targets.open(provider, lane);
    const heldUntil = leases.heldUntil(distribution);
    if (heldUntil !== undefined) return { heldUntil };
    if (step.kind === 'set-enabled' && !enabled && !(await newestIsOfUse(vault, context))) {
      await look.look({ reference, provider, vault });
      return 'done';
    }
    const wanted = {
      enabled,
      operations: operationsOf(distribution),
      tags: tagsOf(reference, distribution, version),
    };
    // Mending leaves it as it is.
    const subject = {
      version: step.version,
      ...(step.kind === 'set-enabled' && { turned: { placement, kmsVersion } }),
    };
    try {
      const done = await leases.during(reference, distribution, subject, async (deadline) => {
        const key = await vault.updateVersion(distribution.kmsName, kmsVersion, { ...wanted, deadline });
        if (key.enabled === enabled && sameMembers(key.operations, wanted.operations)) return key;
        throw new AzureFailure(
          'unknown-outcome',
          `Key Vault "${vault.name}" did not apply the change to key "${distribution.kmsName}"`,
        );
      });
      if (done === undefined) return 'done';
      const { updatedTime } = done.result;
      await leases.end(reference, done.holder, (current) => {
        const { refusal: _refusal, delay: _delay, ...rest } = current.distribution;
        const known = current.placements.find((placement) => placement.version === step.version);
        if (known === undefined) return { distribution: rest };
        const times = { confirmedTime: now(), ...(known.kmsVersion === kmsVersion && { updatedTime }) };
        return { distribution: rest, placement: { ...updateCopy(known, { kmsVersion, enabled }), ...times } };
      });
    } catch (error) {
      if (!isAzureFailure(error, 'absent')) throw error;
      await recordLoss(reference, provider, kmsVersion);
    }
    return 'done';
  }

  /** Somebody may have disabled the newest version since it was looked at, and then this would be the last one that works. */
  async function newestIsOfUse(
    vault: TargetVault,
    { state, distribution: { distribution, placements } }: StepContext,
  ): Promise<boolean> {
    const newest = placements.find(({ version }) => version === state.key.latestVersion);
    if (newest === undefined) return false;
    const key = await vault.getKeyVersion(distribution.kmsName, newest.kmsVersion);
    return key !== undefined && key.enabled && sameMembers(key.operations, operationsOf(distribution));
  }

  /** The vault said that it doesn't have a version that it had. */
  async function recordLoss(reference: DistributionReference, provider: ProviderRecord, kmsVersion: string) {
    await amendDistribution(keys, reference, ({ distribution, placements }) => {
      const placement = placements
        .map((known) => forgetCopy(known, kmsVersion, now()))
        .find((changed, index) => changed !== placements[index]);
      const { drift: _drift, ...rest } = distribution;
      return placement && { distribution: { ...rest, ...withPolicy(provider.drift ?? 'repair') }, placement };
    });
  }

  async function remove(context: StepContext): Promise<StepOutcome> {
    const { reference, provider, lane } = context;
    const { distribution } = context.distribution;
    const { kmsName, attempt } = distribution;
    if (!mayBeInVault(context.distribution)) return forget(reference, context.distribution);

    const vault = targets.open(provider, lane);
    const heldUntil = leases.heldUntil(distribution);
    // The end of anything but a deletion could bring back what isn't there.
    if (heldUntil !== undefined && attempt?.version !== wholeKey.deletion) return { heldUntil };
    const key = await vault.getKey(kmsName);
    if (key === undefined) return forget(reference, context.distribution);
    if (heldUntil !== undefined) return { heldUntil };
    if (key.tags[tagNames.owner] !== ownerTag(reference)) {
      // An import whose outcome isn't known may have found the name taken; only a list shows what is below the newest.
      const versions = context.distribution.placements.length === 0 ? await vault.listVersions(kmsName) : undefined;
      const isForeign = versions?.every(({ tags }) => tags[tagNames.owner] !== ownerTag(reference)) ?? false;
      if (isForeign) return forget(reference, context.distribution);
      throw new AzureFailure(
        'refused',
        `Key Vault "${vault.name}" has a key "${kmsName}" that Keyfleet did not make; it is not deleted`,
      );
    }
    if (await hasForeignVersions(vault, reference, context.distribution)) {
      throw new AzureFailure(
        'refused',
        `Key Vault "${vault.name}" has versions of the key "${kmsName}" that Keyfleet did not make; it is not deleted`,
      );
    }
    const done = await leases.during(reference, distribution, { version: wholeKey.deletion }, (deadline) =>
      vault.deleteKey(kmsName, { deadline }),
    );
    if (done === undefined) return 'done';
    const state = await keys.read(reference);
    const current = state?.distributions.find((entry) => entry.distribution.attempt?.holder === done.holder);
    return current === undefined ? 'done' : forget(reference, current);
  }

  /** A deletion takes all versions with it. Where listing isn't permitted, what was seen of them counts. */
  async function hasForeignVersions(
    vault: TargetVault,
    reference: DistributionReference,
    { distribution: { kmsName, strays = [] }, placements }: DistributionState,
  ): Promise<boolean> {
    if (strays.includes('impostor')) return true;
    const known = new Set(placements.flatMap(idsOf));
    try {
      const versions = await vault.listVersions(kmsName);
      return versions.some(({ version, tags }) => !known.has(version) && tags[tagNames.owner] !== ownerTag(reference));
    } catch (error) {
      if (isAzureFailure(error, 'forbidden')) return strays.length > 0;
      throw error;
    }
  }

  async function forget(reference: DistributionReference, distribution: DistributionState): Promise<StepOutcome> {
    await keys.removeDistribution(reference, distribution);
    return (await release(reference)) ? 'gone' : 'done';
  }

  async function release(reference: DistributionReference): Promise<boolean> {
    const hold = await providers.readHold(reference, reference.key);
    if (hold === undefined) return true;
    // A refused removal may be the answer to the client's own repetition of one that was done: what is there counts.
    if ((await keys.readDistribution(reference)) !== undefined) return false;
    if (await providers.releaseKey(reference, hold)) return true;
    return (await providers.readHold(reference, reference.key)) === undefined;
  }

  return {
    run(step, context) {
      switch (step.kind) {
        case 'import':
          return importVersion(step, context);
        case 'set-enabled':
        case 'mend':
          return update(step, context);
        case 'restore':
          return restore(context);
        case 'remove':
          return remove(context);
      }
    },
    release,
  };
}
