import { KeyfleetError } from '../errors.ts';
import { keyExchangeKeyName, ownerOf } from '../reconcile/target.ts';
import type { Stored } from '../state/key-records.ts';
import type { DriftPolicy, ProviderRecord, ProviderReference } from '../state/providers.ts';
import type { Decision } from './decision.ts';

/*
 * What requests about providers come to. Nothing is read or written here: a request and its dry run decide by the same
 * rules.
 */

/** Fields of a provider that a write may hold; absent ones weren't given. */
export interface ProviderFields {
  provider?: string;
  keyCollection?: string;
  credentials?: Record<string, string>;
  drift?: string;
  /** Where the vault is; empty for not known. */
  subscriptionId?: string;
  region?: string;
}

export interface ProviderCreation extends Decision {
  record: ProviderRecord;
}

export interface ProviderUpdate extends Decision {
  /** Undefined if there is nothing to write. */
  record: Stored<ProviderRecord> | undefined;
}

export interface ProviderRules {
  /** Makes no request. @throws KeyfleetError `invalid_request` for credentials that can't be used */
  open: (record: ProviderRecord) => unknown;
  now: () => Date;
}

const azureKeyVault = 'azurekeyvault';

/** 3 to 24 letters, digits and single hyphens, from a letter to a letter or digit: Azure's rule for vaults. */
const vaultNamePattern = /^(?=.{3,24}$)[A-Za-z](?:-?[A-Za-z0-9])*$/;

/** @throws KeyfleetError `invalid_request` */
export function decideProviderCreation(
  reference: ProviderReference,
  fields: ProviderFields,
  { open, now }: ProviderRules,
): ProviderCreation {
  const createdTime = now();
  const record: ProviderRecord = {
    kind: checkedKind(fields.provider),
    keyCollection: checkedVaultName(fields.keyCollection),
    kekName: keyExchangeKeyName(ownerOf(reference.mount, reference.provider), createdTime),
    createdTime,
    credentials: fields.credentials ?? {},
    ...checkedDrift(fields.drift),
    ...checkedPlace(fields),
  };
  open(record);
  const { provider } = reference;
  const description = `create provider "${provider}" for Key Vault "${record.keyCollection}"`;
  return { record, changes: [{ path: `kms/${provider}`, action: 'create', description }] };
}

/** @throws KeyfleetError `invalid_request`, `conflict` */
export function decideProviderUpdate(
  reference: ProviderReference,
  current: Stored<ProviderRecord>,
  fields: ProviderFields,
  { open }: Pick<ProviderRules, 'open'>,
): ProviderUpdate {
  if (fields.provider !== undefined && checkedKind(fields.provider) !== current.kind) {
    throw immutable('provider', current.kind, reference);
  }
  if (fields.keyCollection !== undefined && fields.keyCollection !== current.keyCollection) {
    throw immutable('key_collection', current.keyCollection, reference);
  }
  const drift = checkedDrift(fields.drift);
  const { credentials, subscriptionId, region } = fields;
  const moves = subscriptionId !== undefined || region !== undefined;
  if (credentials === undefined && drift === undefined && !moves) return { record: undefined, changes: [] };
  const { subscriptionId: _subscriptionId, region: _region, ...rest } = current;
  const place = checkedPlace({ ...placeOf(current), ...fields });
  const record = { ...rest, ...(credentials && { credentials }), ...drift, ...place };
  open(record);
  const { provider } = reference;
  const descriptions = [
    ...(credentials ? [`replace the credentials of provider "${provider}"`] : []),
    ...(drift ? [`have provider "${provider}" ${drift.drift} what somebody changes in its vault`] : []),
    ...(moves ? [`replace what is known of where the vault of provider "${provider}" is`] : []),
  ];
  const path = `kms/${provider}`;
  return { record, changes: descriptions.map((description) => ({ path, action: 'update', description })) };
}

/** @returns what is known of where a vault is */
export function placeOf({ subscriptionId, region }: Pick<ProviderFields, 'subscriptionId' | 'region'>) {
  return { ...(subscriptionId && { subscriptionId }), ...(region && { region }) };
}

/**
 * @param held names of the keys that the provider holds
 * @throws KeyfleetError `conflict`
 */
export function decideProviderDeletion({ provider }: ProviderReference, held: readonly string[]): Decision {
  if (held.length > 0) {
    throw new KeyfleetError(
      'conflict',
      `provider "${provider}" has keys distributed to it (${held.slice(0, 10).join(', ')}): remove them first ` +
        `(DELETE kms/${provider}/key/<name>)`,
    );
  }
  return { changes: [{ path: `kms/${provider}`, action: 'delete', description: `delete provider "${provider}"` }] };
}

const longestPlace = 128;

/** @throws KeyfleetError `invalid_request` */
function checkedPlace({ subscriptionId = '', region = '' }: ProviderFields) {
  for (const [field, value] of Object.entries({ subscription_id: subscriptionId, region })) {
    if (value.length > longestPlace) {
      throw new KeyfleetError('invalid_request', `${field} is longer than ${longestPlace} characters`);
    }
  }
  return placeOf({ subscriptionId, region });
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

function checkedDrift(given: string | undefined): { drift: DriftPolicy } | undefined {
  if (given === undefined) return undefined;
  if (given === 'repair' || given === 'report' || given === 'ignore') return { drift: given };
  throw new KeyfleetError('invalid_request', `drift is ${JSON.stringify(given)}: give repair, report or ignore`);
}

function immutable(field: string, value: string, { provider }: ProviderReference): KeyfleetError {
  return new KeyfleetError(
    'conflict',
    `${field} of provider "${provider}" is ${value} and can't be changed: write another provider for another vault`,
  );
}
