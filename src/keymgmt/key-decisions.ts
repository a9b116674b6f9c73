import { KeyfleetError } from '../errors.ts';
import { nextStep } from '../reconcile/plan.ts';
import type { DistributionState, KeyRecord, KeyReference, KeyState } from '../state/key-records.ts';
import type { Change, Decision, KeyDecision } from './decision.ts';
import { defaultKeyType, parseKeyType, type KeyType } from './key-types.ts';

/*
 * What requests about keys come to. Nothing is read or written here: a request and its dry run decide by the same rules.
 */

/** Fields of a key that a write may hold; absent ones weren't given. */
export interface KeyFields {
  type?: string;
  minEnabledVersion?: number;
  deletionAllowed?: boolean;
}

export interface KeyCreation extends Decision {
  type: KeyType;
  key: Omit<KeyRecord, 'createdTime'>;
}

/** @throws KeyfleetError `invalid_request` */
export function decideCreation({ key: name }: KeyReference, fields: KeyFields): KeyCreation {
  const type = parseKeyType(fields.type ?? defaultKeyType);
  const latestVersion = 1;
  const minEnabledVersion = checkedMinimum(fields.minEnabledVersion, latestVersion) ?? 1;
  const deletionAllowed = fields.deletionAllowed ?? false;
  return {
    type,
    key: { type, latestVersion, minEnabledVersion, deletionAllowed, deleting: false },
    changes: [
      {
        path: `key/${name}`,
        action: 'create',
        description:
          `create key "${name}" of type ${type} with version ${latestVersion}, ` +
          `min_enabled_version ${minEnabledVersion} and deletion_allowed ${deletionAllowed}`,
      },
    ],
  };
}

/** @throws KeyfleetError `invalid_request`, `conflict` */
export function decideUpdate(state: KeyState, fields: KeyFields): KeyDecision {
  const { reference, key } = state;
  if (fields.type !== undefined && parseKeyType(fields.type) !== key.type) {
    throw new KeyfleetError(
      'conflict',
      `type of key "${reference.key}" is ${key.type} and can't be changed: create another key`,
    );
  }
  const minEnabledVersion = checkedMinimum(fields.minEnabledVersion, key.latestVersion) ?? key.minEnabledVersion;
  const deletionAllowed = fields.deletionAllowed ?? key.deletionAllowed;
  const changesMinimum = minEnabledVersion !== key.minEnabledVersion;
  const update = (name: string, from: number | boolean, to: number | boolean): Change[] =>
    from === to
      ? []
      : [{ path: `key/${reference.key}`, action: 'update', description: `change ${name} from ${from} to ${to}` }];
  return {
    changes: [
      ...update('min_enabled_version', key.minEnabledVersion, minEnabledVersion),
      ...update('deletion_allowed', key.deletionAllowed, deletionAllowed),
    ],
    next: { ...state, key: { ...key, minEnabledVersion, deletionAllowed } },
    // The same minimum again is a wish to try again what a vault refused.
    affected: state.distributions
      .filter(isPlaced)
      .filter((entry) => changesMinimum || (fields.minEnabledVersion !== undefined && nextStep(state, entry))),
  };
}

/** @throws KeyfleetError `not_found` if there is no such key */
export function existingKey(state: KeyState | undefined, { key }: KeyReference): KeyState {
  if (state === undefined) throw new KeyfleetError('not_found', `there is no key "${key}": create it first`);
  return state;
}

/** A new version, which every vault takes that hasn't refused the key. Whether they all can is not decided here. */
export function decideRotation(state: KeyState, createdTime: Date): KeyDecision {
  const { reference, key, versions, distributions } = state;
  const version = key.latestVersion + 1;
  return {
    changes: [
      { path: `key/${reference.key}`, action: 'update', description: `add version ${version} with new key material` },
    ],
    next: {
      ...state,
      key: { ...key, latestVersion: version },
      // The material isn't made yet.
      versions: [...versions, { version, createdTime, publicKey: Buffer.alloc(0) }],
    },
    affected: distributions.filter(({ distribution }) => !distribution.removing && distribution.refusal === undefined),
  };
}

/** @throws KeyfleetError `conflict` */
export function decideDeletion({ reference, key, distributions }: KeyState): Decision {
  if (distributions.length > 0) {
    const where = providerNames(distributions).join(', ');
    throw new KeyfleetError(
      'conflict',
      `key "${reference.key}" is distributed to ${where}: remove it there first (DELETE kms/<provider>/key/${reference.key})`,
    );
  }
  if (!key.deletionAllowed) {
    throw new KeyfleetError(
      'conflict',
      `deletion of key "${reference.key}" is not allowed: set deletion_allowed=true first`,
    );
  }
  const versions = key.latestVersion === 1 ? 'its version' : `its ${key.latestVersion} versions`;
  return {
    changes: [
      {
        path: `key/${reference.key}`,
        action: 'delete',
        description: `delete key "${reference.key}" and ${versions} for good`,
      },
    ],
  };
}

/** Holds at least one version there, or is on its way without having been refused. */
export function isPlaced({ distribution, placements }: DistributionState): boolean {
  return placements.length > 0 || distribution.refusal === undefined;
}

export function providerNames(distributions: readonly DistributionState[]): string[] {
  return distributions.map(({ distribution }) => distribution.provider);
}

/** @throws KeyfleetError `invalid_request` */
function checkedMinimum(given: number | undefined, latestVersion: number): number | undefined {
  if (given === undefined) return undefined;
  if (given < 0)
    throw new KeyfleetError('invalid_request', 'min_enabled_version is negative: use 0 to enable all versions');
  if (given > latestVersion) {
    throw new KeyfleetError(
      'invalid_request',
      `min_enabled_version ${given} is above latest_version ${latestVersion}: rotate the key first`,
    );
  }
  return given;
}
