import { guardOfDistribution, guardOfKey, type Announcer, type DistributionSubject } from '../reconcile/intents.ts';
import { claimKmsName } from '../reconcile/target.ts';
import type { DistributionRecord, DistributionReference, PlacementRecord } from '../state/key-records.ts';
import type { KeyStore } from '../state/keys.ts';
import type { ProviderReference, ProviderStore } from '../state/providers.ts';
import { repeatUntilWritten } from '../state/repeat.ts';
import type { VaultNames } from '../state/vault-names.ts';
import {
  decideDistribution,
  decideRemoval,
  findDistribution,
  type DistributionDecision,
  type DistributionFields,
} from './distribution-decisions.ts';
import { wakeAll } from './distribution-wake.ts';
import type { Waiting } from './keys.ts';
import { inspect, type Outcome, type Settlement } from './settlement.ts';

/** A key in one vault, as Vault reads it. */
export interface DistributionView {
  /** The key's name in the vault. */
  kmsName: string;
  /** Sorted. */
  purpose: readonly string[];
  protection: string;
  distributedTime: Date;
  /** Key Vault's version ids by version; what the vault has confirmed. */
  versions: ReadonlyMap<number, string>;
  /** What the vault refused, still lacks, or has more than once, in words. */
  warnings: readonly string[];
}

export interface Distributions {
  /** Distributes the key; again with the same values, tries again what the vault refused and mends what was left alone. */
  write(reference: DistributionReference, fields: DistributionFields, waiting: Waiting): Promise<Outcome>;
  read(reference: DistributionReference): Promise<DistributionView | undefined>;
  /** Names of the keys distributed to a provider. */
  list(reference: ProviderReference): Promise<string[]>;
  /** Deletes the key in the vault; it stays in Keyfleet. */
  delete(reference: DistributionReference, waiting: Waiting): Promise<Outcome>;
}

export interface DistributionsOptions {
  keys: KeyStore;
  providers: ProviderStore;
  vaultNames: VaultNames;
  announcer: Announcer;
  settlement: Settlement;
  now: () => Date;
}

export function createDistributions({
  keys,
  providers,
  vaultNames,
  announcer,
  settlement,
  now,
}: DistributionsOptions): Distributions {
  async function write(
    reference: DistributionReference,
    fields: DistributionFields,
    waiting: Waiting,
  ): Promise<Outcome> {
    return repeatUntilWritten(async () => {
      const [state, provider] = await Promise.all([keys.read(reference), providers.read(reference)]);
      const decision = decideDistribution(reference, { state, provider }, fields);
      const { existing } = decision;

      const subject: DistributionSubject = { kind: 'distribution', ...reference };
      const stamp = await announcer.announce(subject, guardOf(decision));
      const written =
        existing === undefined
          ? (await providers.holdKey(reference, reference.key)) &&
            (await keys.addDistribution(decision.state, await named(reference, decision)))
          : existing.again === undefined || (await keys.putDistribution(reference, existing.again));
      if (!written) return undefined;
      return wakeAll(announcer, [{ subject, stamp }], () =>
        settlement.settle(reference, [reference.provider], waiting),
      );
    });
  }

  async function named(
    { key }: DistributionReference,
    { provider: { keyCollection }, draft }: DistributionDecision,
  ): Promise<DistributionRecord> {
    const distributedTime = now();
    const kmsName = await claimKmsName(vaultNames, { keyCollection, key, now: distributedTime });
    return { ...draft, kmsName, distributedTime };
  }

  return {
    write,

    async read(reference) {
      const state = await keys.read(reference);
      const found = state && findDistribution(state, reference);
      if (found === undefined) return undefined;
      const { kmsName, purpose, protection, distributedTime } = found.distribution;
      const { refused, pending, left } = inspect(state, [reference.provider]);
      return {
        kmsName,
        purpose,
        protection,
        distributedTime,
        versions: new Map(found.placements.map(({ version, kmsVersion }) => [version, kmsVersion])),
        warnings: [...refused, ...pending, ...left, ...found.placements.flatMap(describeDuplicates)],
      };
    },

    list: (reference) => providers.listKeys(reference),

    async delete(reference, waiting) {
      return repeatUntilWritten(async () => {
        const decision = decideRemoval(reference, await keys.read(reference));
        if (decision === undefined) return { warnings: [] };
        const subject: DistributionSubject = { kind: 'distribution', ...reference };
        const stamp = await announcer.announce(subject, guardOfDistribution(decision.next));
        if (!(await keys.putDistribution(reference, decision.next))) return undefined;
        return wakeAll(announcer, [{ subject, stamp }], () =>
          settlement.settle(reference, [reference.provider], waiting),
        );
      });
    },
  };
}

function guardOf({ existing, state }: DistributionDecision): string | undefined {
  if (existing === undefined) return guardOfKey(state);
  return existing.again && guardOfDistribution(existing.again);
}

function describeDuplicates({ version, kmsVersion, duplicates = [] }: PlacementRecord): string[] {
  if (duplicates.length === 0) return [];
  const ids = [kmsVersion, ...duplicates.map((copy) => copy.kmsVersion)].join(', ');
  return [
    `version ${version} is there more than once (${ids}): an import that seemed lost came through late. All copies are the ` +
      'same key, and are enabled and disabled together. If there are later versions, rotate the key: whoever names no ' +
      'version gets the copy that came last',
  ];
}
