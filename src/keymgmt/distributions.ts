import { KeyfleetError } from '../errors.ts';
import type { Announcer, DistributionSubject } from '../reconcile/intents.ts';
import { claimKmsName } from '../reconcile/target.ts';
import type {
  DistributionRecord,
  DistributionReference,
  DistributionState,
  KeyState,
  Stored,
} from '../state/key-records.ts';
import type { KeyStore } from '../state/keys.ts';
import type { ProviderRecord, ProviderReference, ProviderStore } from '../state/providers.ts';
import type { VaultNames } from '../state/vault-names.ts';
import { wakeAll } from './distribution-wake.ts';
import { parseProtection, parsePurposes, type KeyType } from './key-types.ts';
import type { Waiting } from './keys.ts';
import { repeatUntilWritten } from '../state/repeat.ts';
import { inspect, type Outcome, type Settlement } from './settlement.ts';

export interface DistributionFields {
  purpose: readonly string[];
  protection: string;
}

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
  /** What the vault refused or still lacks, in words. */
  warnings: readonly string[];
}

export interface Distributions {
  /** Distributes the key; again with the same values, tries again what the vault refused. */
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

/** Key Vault takes 127 characters; a hyphen and the seconds take 11. */
const longestName = 116;

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
      const state = await keys.read(reference);
      if (state === undefined) {
        throw new KeyfleetError(
          'invalid_request',
          `there is no key "${reference.key}": create it first (write key/${reference.key})`,
        );
      }
      const purpose = parsePurposes(fields.purpose, state.key.type as KeyType);
      const protection = parseProtection(fields.protection);
      checkName(reference.key);
      const existing = find(state, reference)?.distribution;
      if (existing !== undefined) checkSame(reference, existing, purpose, protection);
      const provider = await readProvider(reference);

      const subject: DistributionSubject = { kind: 'distribution', ...reference };
      const stamp = await announcer.announce(subject);
      const written =
        existing === undefined
          ? (await providers.holdKey(reference, reference.key)) &&
            (await keys.addDistribution(state, await newDistribution(reference, provider, purpose, protection)))
          : await forgetRefusal(reference, existing);
      if (!written) return undefined;
      return wakeAll(announcer, [{ subject, stamp }], () =>
        settlement.settle(reference, [reference.provider], waiting),
      );
    });
  }

  async function readProvider(reference: DistributionReference): Promise<Stored<ProviderRecord>> {
    const provider = await providers.read(reference);
    if (provider === undefined) {
      throw new KeyfleetError(
        'invalid_request',
        `there is no provider "${reference.provider}": create it first (write kms/${reference.provider})`,
      );
    }
    return provider;
  }

  async function newDistribution(
    { provider, key }: DistributionReference,
    { keyCollection }: ProviderRecord,
    purpose: readonly string[],
    protection: string,
  ): Promise<DistributionRecord> {
    const distributedTime = now();
    const kmsName = await claimKmsName(vaultNames, { keyCollection, key, now: distributedTime });
    return { provider, kmsName, purpose, protection, distributedTime, removing: false, attemptedVersion: 0 };
  }

  async function forgetRefusal(
    reference: DistributionReference,
    existing: Stored<DistributionRecord>,
  ): Promise<boolean> {
    if (existing.refusal === undefined) return true;
    const { refusal: _refusal, ...rest } = existing;
    return keys.putDistribution(reference, rest);
  }

  return {
    write,

    async read(reference) {
      const state = await keys.read(reference);
      const found = state && find(state, reference);
      if (found === undefined) return undefined;
      const { kmsName, purpose, protection, distributedTime } = found.distribution;
      const { refused, pending } = inspect(state, [reference.provider]);
      return {
        kmsName,
        purpose,
        protection,
        distributedTime,
        versions: new Map(found.placements.map(({ version, kmsVersion }) => [version, kmsVersion])),
        warnings: [...refused, ...pending],
      };
    },

    list: (reference) => providers.listKeys(reference),

    async delete(reference, waiting) {
      return repeatUntilWritten(async () => {
        const state = await keys.read(reference);
        const existing = state && find(state, reference);
        if (existing === undefined) return { warnings: [] };
        const subject: DistributionSubject = { kind: 'distribution', ...reference };
        const stamp = await announcer.announce(subject);
        const { refusal: _refusal, delay: _delay, ...rest } = existing.distribution;
        if (!(await keys.putDistribution(reference, { ...rest, removing: true }))) return undefined;
        return wakeAll(announcer, [{ subject, stamp }], () =>
          settlement.settle(reference, [reference.provider], waiting),
        );
      });
    },
  };
}

function find(state: KeyState, { provider }: DistributionReference): DistributionState | undefined {
  return state.distributions.find(({ distribution }) => distribution.provider === provider);
}

/** @throws KeyfleetError `invalid_request` for a name that Key Vault can't hold */
function checkName(key: string): void {
  if (/^[0-9A-Za-z-]+$/.test(key) && key.length <= longestName) return;
  throw new KeyfleetError(
    'invalid_request',
    `key name ${JSON.stringify(key)} can't be distributed: Key Vault allows letters, digits and hyphens, and Keyfleet ` +
      `${longestName} characters of them (it appends the time)`,
  );
}

/** @throws KeyfleetError `conflict` if the key is distributed with other values, or on its way out */
function checkSame(
  { key, provider }: DistributionReference,
  existing: DistributionRecord,
  purpose: readonly string[],
  protection: string,
): void {
  const where = `key "${key}" at provider "${provider}"`;
  if (existing.removing) {
    throw new KeyfleetError('conflict', `${where} is being removed: distribute it again once that is done`);
  }
  if (existing.purpose.join() !== purpose.join() || existing.protection !== protection) {
    throw new KeyfleetError(
      'conflict',
      `${where} is distributed with purpose ${existing.purpose.join(',')} and protection ${existing.protection}, ` +
        "which can't be changed: remove it there first",
    );
  }
}
