import { KeyfleetError } from '../errors.ts';
import type { Announcer } from '../reconcile/intents.ts';
import { keyExchangeKeyName, ownerOf, type Targets } from '../reconcile/target.ts';
import type { Stored } from '../state/key-records.ts';
import type { KeyStore } from '../state/keys.ts';
import type { NameIndex } from '../state/names.ts';
import type { ProviderRecord, ProviderReference, ProviderStore } from '../state/providers.ts';
import { announceAll, clearRefusal, wakeAll } from './distribution-wake.ts';
import { repeatUntilWritten } from '../state/repeat.ts';

/** Fields of a provider that a write may hold; absent ones weren't given. */
export interface ProviderFields {
  provider?: string;
  keyCollection?: string;
  credentials?: Record<string, string>;
}

/** A provider as Vault reads it: never its credentials. */
export interface ProviderView {
  provider: string;
  keyCollection: string;
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
  now: () => Date;
}

const azureKeyVault = 'azurekeyvault';

/** 3 to 24 letters, digits and single hyphens, from a letter to a letter or digit: Azure's rule for vaults. */
const vaultNamePattern = /^(?=.{3,24}$)[A-Za-z](?:-?[A-Za-z0-9])*$/;

export function createProviders({ providers, keys, names, announcer, targets, now }: ProvidersOptions): Providers {
  async function create(reference: ProviderReference, fields: ProviderFields): Promise<boolean> {
    const createdTime = now();
    const record: ProviderRecord = {
      kind: checkedKind(fields.provider),
      keyCollection: checkedVaultName(fields.keyCollection),
      kekName: keyExchangeKeyName(ownerOf(reference.mount, reference.provider), createdTime),
      createdTime,
      credentials: fields.credentials ?? {},
    };
    // Opening makes no request; it refuses credentials that can't be used.
    targets.open(record);
    const stamp = await announcer.announce({ kind: 'provider', ...reference });
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
    if (fields.provider !== undefined && checkedKind(fields.provider) !== current.kind) {
      throw immutable('provider', current.kind, reference);
    }
    if (fields.keyCollection !== undefined && fields.keyCollection !== current.keyCollection) {
      throw immutable('key_collection', current.keyCollection, reference);
    }
    if (fields.credentials === undefined) return true;
    const changed = { ...current, credentials: fields.credentials };
    targets.open(changed);
    if (!(await providers.update(reference, changed))) return false;
    await retryRefused(reference);
    return true;
  }

  /** New credentials may be what a vault's refusal was waiting for. */
  async function retryRefused(reference: ProviderReference): Promise<void> {
    for (const key of await providers.listKeys(reference)) {
      const keyReference = { mount: reference.mount, key };
      const state = await keys.read(keyReference);
      const refused = state?.distributions.filter(
        ({ distribution }) => distribution.provider === reference.provider && distribution.refusal !== undefined,
      );
      if (refused === undefined || refused.length === 0) continue;
      const announced = await announceAll(announcer, keyReference, refused);
      await clearRefusal(keys, { ...keyReference, provider: reference.provider });
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
      return record && { provider: record.kind, keyCollection: record.keyCollection };
    },

    list: (mount) => names.list(mount, 'provider'),

    async delete(reference) {
      await repeatUntilWritten(async () => {
        const current = await providers.read(reference);
        if (current === undefined) return true;
        const held = await providers.listKeys(reference);
        if (held.length > 0) {
          throw new KeyfleetError(
            'conflict',
            `provider "${reference.provider}" has keys distributed to it (${held.slice(0, 10).join(', ')}): remove them first ` +
              `(DELETE kms/${reference.provider}/key/<name>)`,
          );
        }
        const stamp = await announcer.announce({ kind: 'provider', ...reference });
        if (!(await providers.remove(reference, current))) return undefined;
        await names.remove(reference.mount, 'provider', reference.provider);
        await announcer.withdraw({ kind: 'provider', ...reference }, stamp);
        return true;
      });
    },
  };
}

function checkedKind(kind: string | undefined): string {
  if (kind === undefined || kind === '') {
    throw new KeyfleetError('invalid_request', `provider is missing: give ${azureKeyVault}`);
  }
  if (kind !== azureKeyVault) {
    throw new KeyfleetError(
      'invalid_request',
      `unsupported provider ${JSON.stringify(kind)}: Keyfleet knows ${azureKeyVault}`,
    );
  }
  return kind;
}

function checkedVaultName(name: string | undefined): string {
  if (name === undefined || name === '') {
    throw new KeyfleetError('invalid_request', 'key_collection is missing: give the name of the Azure Key Vault');
  }
  if (!vaultNamePattern.test(name)) {
    throw new KeyfleetError(
      'invalid_request',
      `key_collection ${JSON.stringify(name)} is not the name of an Azure Key Vault: 3 to 24 letters, digits and single ` +
        'hyphens, starting with a letter and ending with a letter or digit (the name alone, not its URL)',
    );
  }
  return name;
}

function immutable(field: string, value: string, { provider }: ProviderReference): KeyfleetError {
  return new KeyfleetError(
    'conflict',
    `${field} of provider "${provider}" is ${value} and can't be changed: write another provider for another vault`,
  );
}
