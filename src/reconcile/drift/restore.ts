import { AzureFailure, isAzureFailure } from '../../azure-failure.ts';
import type { TargetVault } from '../../key-vault/target-vault.ts';
import {
  wholeKey,
  type DistributionRecord,
  type DistributionReference,
  type DistributionState,
} from '../../state/key-records.ts';
import { mostSeenAtOnce, type KeyStore } from '../../state/keys.ts';
import type { ProviderRecord } from '../../state/providers.ts';
import type { VaultNames } from '../../state/vault-names.ts';
import type { Lane } from '../governor/index.ts';
import type { Leases } from '../leases.ts';
import { has } from '../plan.ts';
import { claimKmsName, type Targets } from '../target.ts';
import { ownerTag, tagNames } from '../version-marks.ts';
import type { Look } from './look.ts';

export interface RestoreRequest {
  reference: DistributionReference;
  provider: ProviderRecord;
  distribution: DistributionState;
  /** Whether somebody waits for it. */
  lane: Lane;
}

/** How long a recovery whose end wasn't seen is waited for before the key is taken for purged. */
const recoverySeconds = 600;

export interface RestorerOptions {
  keys: KeyStore;
  vaultNames: VaultNames;
  targets: Targets;
  leases: Leases;
  look: Look;
  now: () => Date;
}

/** What became of a key of which nothing seemed to be left. */
type Fate = 'live' | 'recovered' | 'changing' | 'purged' | 'not-ours' | 'not-permitted';

/**
 * Brings back a key of which no version is in the vault any more: the deleted one with its own versions where the vault
 * still keeps it and lets us recover it; else all versions are forgotten, so that they are imported again, under a new
 * name where the old one isn't free.
 *
 * @returns a function that throws AzureFailure
 */
export function createRestorer({ keys, vaultNames, targets, leases, look, now }: RestorerOptions) {
  /** A key on its way back is seen neither among the live ones nor among the deleted. */
  function mayBeRecovering({ attempt }: DistributionRecord): boolean {
    const isRecovery = attempt?.version === wholeKey.recovery;
    return isRecovery && attempt.until.getTime() + recoverySeconds * 1000 > now().getTime();
  }

  async function findOut({ reference, distribution: entry }: RestoreRequest, vault: TargetVault): Promise<Fate> {
    const { distribution } = entry;
    const { kmsName } = distribution;
    if ((await vault.getKey(kmsName)) !== undefined) return 'live';
    const deleted = await vault.getDeletedKey(kmsName);
    if (deleted === undefined) {
      if (!mayBeRecovering(distribution)) return 'purged';
      throw new AzureFailure('unavailable', `Key Vault "${vault.name}" may still be recovering key "${kmsName}"`);
    }
    if (deleted.tags[tagNames.owner] !== ownerTag(reference)) return 'not-ours';
    try {
      const done = await leases.during(reference, distribution, { version: wholeKey.recovery }, (deadline) =>
        vault.recoverKey(kmsName, { deadline }),
      );
      // Recovered or purged by somebody else just now: which of the two shows once the lease has run out.
      if (done?.result !== true) return 'changing';
      const restoration = `the key ${kmsName} was deleted; Keyfleet recovered it at ${now().toISOString()}`;
      await leases.end(reference, done.holder, (current) => ({
        distribution: { ...current.distribution, restoration },
      }));
      return 'recovered';
    } catch (error) {
      if (isAzureFailure(error, 'forbidden')) return 'not-permitted';
      throw error;
    }
  }

  async function read(reference: DistributionReference): Promise<DistributionState | undefined> {
    const state = await keys.read(reference);
    return state?.distributions.find(({ distribution }) => distribution.provider === reference.provider);
  }

  /** Forgets what is gone; refused if somebody else was here: whoever calls reads again and decides again. */
  async function startAfresh(
    { reference, provider, distribution: { distribution: before } }: RestoreRequest,
    { rename, reason }: { rename: boolean; reason: string },
  ): Promise<void> {
    const entry = await read(reference);
    if (entry === undefined || entry.distribution.kmsName !== before.kmsName || !isGone(entry)) return;
    if (leases.heldUntil(entry.distribution) !== undefined) return;
    if (entry.placements.length > mostSeenAtOnce) {
      await keys.forgetPlacements(reference, entry.distribution, entry.placements.slice(0, mostSeenAtOnce));
      return;
    }
    const { attempt: _attempt, strays: _strays, ...distribution } = entry.distribution;
    const { keyCollection } = provider;
    const kmsName = rename
      ? await claimKmsName(vaultNames, { keyCollection, key: reference.key, now: now() })
      : distribution.kmsName;
    const restoration = `${reason}; all versions were imported again from ${now().toISOString()} on`;
    await keys.forgetPlacements(reference, { ...distribution, kmsName, restoration }, entry.placements);
  }

  return async (request: RestoreRequest): Promise<'done' | { heldUntil: Date }> => {
    const { reference, provider, lane, distribution: entry } = request;
    const { kmsName } = entry.distribution;
    const heldUntil = leases.heldUntil(entry.distribution);
    if (heldUntil !== undefined) return { heldUntil };
    const vault = targets.open(provider, lane);
    switch (await findOut(request, vault)) {
      case 'live':
      case 'recovered': {
        await look.look({ reference, provider, vault });
        const reason = `the name ${kmsName} was taken by a key of somebody else`;
        // Where nothing of ours is there although the name is, it is another key by now.
        await startAfresh(request, { rename: true, reason });
        break;
      }
      case 'changing':
        break;
      case 'purged':
        await startAfresh(request, { rename: false, reason: `the key ${kmsName} was gone for good` });
        break;
      case 'not-ours':
      case 'not-permitted': {
        const reason = `the key ${kmsName} was deleted, and Keyfleet may not recover it`;
        await startAfresh(request, { rename: true, reason });
        break;
      }
    }
    return 'done';
  };
}

function isGone({ placements }: DistributionState): boolean {
  return placements.length > 0 && placements.every((placement) => has(placement, 'missing'));
}
