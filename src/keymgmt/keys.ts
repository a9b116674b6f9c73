import { createPublicKey } from 'node:crypto';
import { isAzureFailure } from '../azure-failure.ts';
import { KeyfleetError } from '../errors.ts';
import type { Announcer } from '../reconcile/intents.ts';
import { nextStep } from '../reconcile/plan.ts';
import { ownerOf, type Targets } from '../reconcile/target.ts';
import type { DistributionState, KeyReference, KeyState } from '../state/key-records.ts';
import type { KeyStore } from '../state/keys.ts';
import type { NameIndex } from '../state/names.ts';
import type { ProviderStore } from '../state/providers.ts';
import { announceAll, clearRefusal, wakeAll } from './distribution-wake.ts';
import type { GenerateKeyPair, KeyPair } from './key-generation.ts';
import { defaultKeyType, parseKeyType, type KeyType } from './key-types.ts';
import { repeatUntilWritten } from '../state/repeat.ts';
import type { Outcome, Settlement } from './settlement.ts';

/** Fields of a key that a write may hold; absent ones weren't given. */
export interface KeyFields {
  type?: string;
  minEnabledVersion?: number;
  deletionAllowed?: boolean;
}

export interface Waiting {
  /** Answer at once instead of waiting for the vaults. */
  preferAsync: boolean;
}

/** A key as Vault reads it. */
export interface KeyView {
  name: string;
  type: string;
  latestVersion: number;
  minEnabledVersion: number;
  deletionAllowed: boolean;
  /** Those that are enabled, in ascending order. */
  versions: readonly { version: number; createdTime: Date; publicKeyPem: string }[];
}

export interface Keys {
  /** Creates the key, or changes the one that exists. */
  write(reference: KeyReference, fields: KeyFields, waiting: Waiting): Promise<Outcome>;
  read(reference: KeyReference): Promise<KeyView | undefined>;
  list(mount: string): Promise<string[]>;
  /** Names of the providers that the key is distributed to. */
  listProviders(reference: KeyReference): Promise<string[]>;
  rotate(reference: KeyReference, waiting: Waiting): Promise<Outcome>;
  delete(reference: KeyReference): Promise<void>;
}

export interface KeysOptions {
  keys: KeyStore;
  providers: ProviderStore;
  names: NameIndex;
  announcer: Announcer;
  targets: Targets;
  settlement: Settlement;
  generateKeyPair: GenerateKeyPair;
  now: () => Date;
}

const nothingToWaitFor: Outcome = { warnings: [] };

export function createKeys(options: KeysOptions): Keys {
  const { keys, providers, names, announcer, targets, settlement, generateKeyPair, now } = options;

  function write(reference: KeyReference, fields: KeyFields, waiting: Waiting): Promise<Outcome> {
    return repeatUntilWritten(async () => {
      const state = await keys.read(reference);
      return state === undefined ? create(reference, fields) : update(state, fields, waiting);
    });
  }

  async function create(reference: KeyReference, fields: KeyFields): Promise<Outcome | undefined> {
    const type = parseKeyType(fields.type ?? defaultKeyType);
    const minEnabledVersion = checkedMinimum(fields.minEnabledVersion, 1) ?? 1;
    const deletionAllowed = fields.deletionAllowed ?? false;
    return withNewMaterial(type, async (material) => {
      const createdTime = now();
      const stamp = await announcer.announce({ kind: 'key', ...reference });
      const key = { type, latestVersion: 1, minEnabledVersion, deletionAllowed, createdTime, deleting: false };
      if (!(await keys.create(reference, key, { createdTime, ...material }))) {
        // Either somebody else created it, or an earlier key of this name isn't quite gone.
        await keys.finishRemoval(reference);
        return undefined;
      }
      await names.add(reference.mount, 'key', reference.key);
      await announcer.withdraw({ kind: 'key', ...reference }, stamp);
      return nothingToWaitFor;
    });
  }

  async function update(state: KeyState, fields: KeyFields, waiting: Waiting): Promise<Outcome | undefined> {
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
    const changes = changesMinimum || deletionAllowed !== key.deletionAllowed;
    // The same minimum again is a wish to try again what a vault refused.
    const affected = state.distributions
      .filter(isPlaced)
      .filter((entry) => changesMinimum || (fields.minEnabledVersion !== undefined && nextStep(state, entry)));
    if (!changes && affected.length === 0) return nothingToWaitFor;
    const stamps = await announceAll(announcer, reference, affected);
    if (changes && !(await keys.update(state, { minEnabledVersion, deletionAllowed }))) return undefined;
    for (const { distribution } of affected)
      await clearRefusal(keys, { ...reference, provider: distribution.provider });
    return wakeAll(announcer, stamps, () => settlement.settle(reference, providerNames(affected), waiting));
  }

  async function rotate(reference: KeyReference, waiting: Waiting): Promise<Outcome> {
    const first = await readOrFail(reference);
    await checkVaults(first);
    return withNewMaterial(first.key.type as KeyType, (material) =>
      repeatUntilWritten(async () => {
        const state = await readOrFail(reference);
        const affected = state.distributions.filter(
          ({ distribution }) => !distribution.removing && distribution.refusal === undefined,
        );
        const stamps = await announceAll(announcer, reference, affected);
        if (!(await keys.addVersion(state, { createdTime: now(), ...material }))) return undefined;
        return wakeAll(announcer, stamps, () => settlement.settle(reference, providerNames(affected), waiting));
      }),
    );
  }

  /** A rotation that a vault wouldn't take is refused while nothing has happened yet. */
  async function checkVaults({ reference, distributions }: KeyState): Promise<void> {
    const placed = distributions.filter(isPlaced).filter(({ distribution }) => !distribution.removing);
    await Promise.all(
      placed.map(async ({ distribution }) => {
        const refuse = (reason: string) =>
          new KeyfleetError(
            'upstream_refused',
            `key "${reference.key}" is not rotated: provider "${distribution.provider}" can't take a new version now: ${reason}`,
          );
        if (distribution.refusal !== undefined) {
          const path = `kms/${distribution.provider}/key/${reference.key}`;
          throw refuse(`${distribution.refusal.reason}. Once that is mended, write ${path} again and then rotate`);
        }
        const provider = await providers.read({ mount: reference.mount, provider: distribution.provider });
        if (provider === undefined) return;
        const owner = ownerOf(reference.mount, distribution.provider);
        try {
          await targets.keyExchangeKeys.probe(targets.open(provider), provider.kekName, owner);
        } catch (error) {
          if (isAzureFailure(error)) throw refuse(error.message);
          throw error;
        }
      }),
    );
  }

  async function readOrFail(reference: KeyReference): Promise<KeyState> {
    const state = await keys.read(reference);
    if (state === undefined)
      throw new KeyfleetError('not_found', `there is no key "${reference.key}": create it first`);
    return state;
  }

  async function withNewMaterial<T>(type: KeyType, use: (material: KeyPair) => Promise<T>): Promise<T> {
    const material = await generateKeyPair(type);
    try {
      return await use(material);
    } finally {
      material.privateKey.fill(0);
    }
  }

  return {
    write,
    rotate,

    async read(reference) {
      const state = await keys.read(reference);
      return state && toView(state);
    },

    list: (mount) => names.list(mount, 'key'),

    async listProviders(reference) {
      const state = await keys.read(reference);
      return state === undefined ? [] : providerNames(state.distributions);
    },

    async delete(reference) {
      await repeatUntilWritten(async () => {
        const state = await keys.read(reference);
        if (state === undefined) return true;
        if (state.distributions.length > 0) {
          const where = providerNames(state.distributions).join(', ');
          throw new KeyfleetError(
            'conflict',
            `key "${reference.key}" is distributed to ${where}: remove it there first (DELETE kms/<provider>/key/${reference.key})`,
          );
        }
        if (!state.key.deletionAllowed) {
          throw new KeyfleetError(
            'conflict',
            `deletion of key "${reference.key}" is not allowed: set deletion_allowed=true first`,
          );
        }
        const stamp = await announcer.announce({ kind: 'key', ...reference });
        if (!(await keys.remove(state))) return undefined;
        await names.remove(reference.mount, 'key', reference.key);
        await announcer.withdraw({ kind: 'key', ...reference }, stamp);
        return true;
      });
    },
  };
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

/** Holds at least one version there, or is on its way without having been refused. */
function isPlaced({ distribution, placements }: DistributionState): boolean {
  return placements.length > 0 || distribution.refusal === undefined;
}

function providerNames(distributions: readonly DistributionState[]): string[] {
  return distributions.map(({ distribution }) => distribution.provider);
}

function toView({ reference, key, versions }: KeyState): KeyView {
  const { type, latestVersion, minEnabledVersion, deletionAllowed } = key;
  return {
    name: reference.key,
    type,
    latestVersion,
    minEnabledVersion,
    deletionAllowed,
    versions: versions
      .filter(({ version }) => version >= minEnabledVersion)
      .map(({ version, createdTime, publicKey }) => ({ version, createdTime, publicKeyPem: toPem(publicKey) })),
  };
}

function toPem(publicKey: Buffer): string {
  return createPublicKey({ key: publicKey, format: 'der', type: 'spki' })
    .export({ type: 'spki', format: 'pem' })
    .toString();
}
