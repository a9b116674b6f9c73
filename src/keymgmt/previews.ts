import { planAll, type PlannedStep } from '../reconcile/plan-all.ts';
import { kmsNameForm, type Targets } from '../reconcile/target.ts';
import type { DistributionReference, DistributionState, KeyReference, KeyState } from '../state/key-records.ts';
import type { KeyStore } from '../state/keys.ts';
import type { ProviderReference, ProviderStore } from '../state/providers.ts';
import type { Change, KeyDecision } from './decision.ts';
import { decideDistribution, decideRemoval, retryChanges, type DistributionFields } from './distribution-decisions.ts';
import {
  decideCreation,
  decideDeletion,
  decideRotation,
  decideUpdate,
  existingKey,
  type KeyFields,
} from './key-decisions.ts';
import {
  decideProviderCreation,
  decideProviderDeletion,
  decideProviderUpdate,
  type ProviderFields,
  type ProviderRules,
} from './provider-decisions.ts';
import { refusedKeys } from './refused-keys.ts';
import type { CheckVaults } from './vault-checks.ts';

/** What a request would do, had it been made now and if nothing fails. */
export interface Preview {
  /** Of Keyfleet's own records, in order. */
  changes: readonly Change[];
  /** What vaults would be made to do. */
  copies: readonly CopyPreview[];
}

/** One key in one vault. */
export interface CopyPreview {
  provider: string;
  keyCollection: string;
  key: string;
  /** The key's name in the vault; for a key that is yet to get one, the form that it will have. */
  kmsName: string;
  /** In the order in which they would be taken. */
  steps: readonly PlannedStep[];
}

/**
 * Tells what requests would do. Each refuses what the request itself would refuse, reads what that reads, and changes
 * nothing: no record, no intent, no message, no vault; no name is taken and no key pair made.
 */
export interface Previews {
  keys: {
    write(reference: KeyReference, fields: KeyFields): Promise<Preview>;
    rotate(reference: KeyReference): Promise<Preview>;
    delete(reference: KeyReference): Promise<Preview>;
  };
  providers: {
    write(reference: ProviderReference, fields: ProviderFields): Promise<Preview>;
    delete(reference: ProviderReference): Promise<Preview>;
  };
  distributions: {
    write(reference: DistributionReference, fields: DistributionFields): Promise<Preview>;
    delete(reference: DistributionReference): Promise<Preview>;
  };
}

export interface PreviewsOptions {
  keys: KeyStore;
  providers: ProviderStore;
  targets: Targets;
  checkVaults: CheckVaults;
  now: () => Date;
}

const nothing: Preview = { changes: [], copies: [] };

export function createPreviews({ keys, providers, targets, checkVaults, now }: PreviewsOptions): Previews {
  const rules: ProviderRules = { open: (record) => targets.open(record, 'interactive'), now };

  async function previewOf({ changes, next, affected }: KeyDecision): Promise<Preview> {
    const copies = await Promise.all(affected.map((distribution) => previewCopy(next, distribution)));
    return { changes: [...changes, ...affected.flatMap((entry) => retryChanges(next, entry))], copies: copies.flat() };
  }

  /** @returns none for a distribution whose provider never learned of it: it is only forgotten */
  async function previewCopy(state: KeyState, entry: DistributionState): Promise<CopyPreview[]> {
    const { provider, kmsName } = entry.distribution;
    const { mount, key } = state.reference;
    const record = await providers.read({ mount, provider });
    if (record === undefined) return [];
    return [{ provider, keyCollection: record.keyCollection, key, kmsName, steps: planAll(state, entry) }];
  }

  return {
    keys: {
      async write(reference, fields) {
        const state = await keys.read(reference);
        if (state !== undefined) return previewOf(decideUpdate(state, fields));
        return { changes: decideCreation(reference, fields).changes, copies: [] };
      },

      async rotate(reference) {
        const state = existingKey(await keys.read(reference), reference);
        await checkVaults(state);
        return previewOf(decideRotation(state, now()));
      },

      async delete(reference) {
        const state = await keys.read(reference);
        return state === undefined ? nothing : { changes: decideDeletion(state).changes, copies: [] };
      },
    },

    providers: {
      async write(reference, fields) {
        const current = await providers.read(reference);
        if (current === undefined) {
          return { changes: decideProviderCreation(reference, fields, rules).changes, copies: [] };
        }
        const { record, changes } = decideProviderUpdate(reference, current, fields, rules);
        const previews: Preview[] = [{ changes, copies: [] }];
        if (record !== undefined) {
          for await (const { state, refused } of refusedKeys({ keys, providers }, reference)) {
            previews.push(await previewOf({ changes: [], next: state, affected: [refused] }));
          }
        }
        return {
          changes: previews.flatMap((preview) => preview.changes),
          copies: previews.flatMap((preview) => preview.copies),
        };
      },

      async delete(reference) {
        if ((await providers.read(reference)) === undefined) return nothing;
        return { ...decideProviderDeletion(reference, await providers.listKeys(reference)), copies: [] };
      },
    },

    distributions: {
      async write(reference, fields) {
        const [state, provider] = await Promise.all([keys.read(reference), providers.read(reference)]);
        const decision = decideDistribution(reference, { state, provider }, fields);
        const named = { ...decision.draft, kmsName: kmsNameForm(reference.key), distributedTime: now(), etag: '' };
        const { existing, changes } = decision;
        const entry = {
          distribution: existing?.again ?? existing?.distribution ?? named,
          placements: existing?.placements ?? [],
        };
        return { changes, copies: await previewCopy(decision.state, entry) };
      },

      async delete(reference) {
        const state = await keys.read(reference);
        const decision = decideRemoval(reference, state);
        if (state === undefined || decision === undefined) return nothing;
        const { changes, next, existing } = decision;
        const entry = { distribution: next, placements: existing.placements };
        return { changes, copies: await previewCopy(state, entry) };
      },
    },
  };
}
