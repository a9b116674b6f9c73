import { guardOfDistribution, type Announcer } from '../reconcile/intents.ts';
import type { CheckSchedule } from '../reconcile/drift/schedule.ts';
import type { Targets } from '../reconcile/target.ts';
import type { Stored } from '../state/key-records.ts';
import type { KeyStore } from '../state/keys.ts';
import type { NameIndex } from '../state/names.ts';
import type { DriftPolicy, ProviderRecord, ProviderReference, ProviderStore } from '../state/providers.ts';
import { repeatUntilWritten } from '../state/repeat.ts';
import { announceAll, clearRefusal, wakeAll } from './distribution-wake.ts';
import {
  decideProviderCreation,
  decideProviderDeletion,
  decideProviderUpdate,
  placeOf,
  type ProviderFields,
  type ProviderRules,
} from './provider-decisions.ts';
import { refusedKeys } from './refused-keys.ts';

/** A provider as Vault reads it: never its credentials. */
export interface ProviderView {
  provider: string;
  keyCollection: string;
  /** Where one was chosen. */
  drift?: DriftPolicy;
  subscriptionId?: string;
  region?: string;
}

export interface Providers {
  /** Creates the provider, or changes its credentials. Doesn't ask Azure whether they are right. */
  write(reference: ProviderReference, fields: ProviderFields): Promise<void>;
  read(reference: ProviderReference): Promise<ProviderView | undefined>;
  list(mount: string): Promise<string[]>;
  delete(reference: ProviderReference): Promise<void>;
}

export interface ProvidersOptions {
  providers: ProviderStore;
  keys: KeyStore;
  names: NameIndex;
  announcer: Announcer;
  targets: Targets;
  checkSchedule: Pick<CheckSchedule, 'begin' | 'end'>;
  now: () => Date;
}

export function createProviders({
  providers,
  keys,
  names,
  announcer,
  targets,
  checkSchedule,
  now,
}: ProvidersOptions): Providers {
  const rules: ProviderRules = { open: (record) => targets.open(record, 'interactive'), now };

  async function create(reference: ProviderReference, fields: ProviderFields): Promise<boolean> {
    const { record } = decideProviderCreation(reference, fields, rules);
    const stamp = await announcer.announce({ kind: 'provider', ...reference });
    await checkSchedule.begin(reference);
    const created = await providers.create(reference, record);
    await names.add(reference.mount, 'provider', reference.provider);
    await announcer.withdraw({ kind: 'provider', ...reference }, stamp);
    return created;
  }

  async function update(
    reference: ProviderReference,
    current: Stored<ProviderRecord>,
    fields: ProviderFields,
  ): Promise<boolean> {
    const { record } = decideProviderUpdate(reference, current, fields, rules);
    if (record === undefined) return true;
    if (!(await providers.update(reference, record))) return false;
    await retryRefused(reference);
    return true;
  }

  /** New credentials may be what a vault's refusal was waiting for. */
  async function retryRefused(reference: ProviderReference): Promise<void> {
    for await (const { state, refused } of refusedKeys({ keys, providers }, reference)) {
      const announced = await announceAll(
        announcer,
        state.reference,
        [refused],
        guardOfDistribution(refused.distribution),
      );
      await clearRefusal(keys, { ...state.reference, provider: reference.provider });
      await wakeAll(announcer, announced, () => Promise.resolve());
    }
  }

  return {
    async write(reference, fields) {
      await repeatUntilWritten(async () => {
        const current = await providers.read(reference);
        const written =
          current === undefined ? await create(reference, fields) : await update(reference, current, fields);
        return written || undefined;
      });
    },

    async read(reference) {
      const record = await providers.read(reference);
      if (record === undefined) return undefined;
      const { kind, keyCollection, drift } = record;
      return { provider: kind, keyCollection, ...(drift && { drift }), ...placeOf(record) };
    },

    list: (mount) => names.list(mount, 'provider'),

    async delete(reference) {
      await repeatUntilWritten(async () => {
        const current = await providers.read(reference);
        if (current === undefined) return true;
        decideProviderDeletion(reference, await providers.listKeys(reference));
        const stamp = await announcer.announce({ kind: 'provider', ...reference });
        if (!(await providers.remove(reference, current))) return undefined;
        await checkSchedule.end(reference);
        await names.remove(reference.mount, 'provider', reference.provider);
        await announcer.withdraw({ kind: 'provider', ...reference }, stamp);
        return true;
      });
    },
  };
}
