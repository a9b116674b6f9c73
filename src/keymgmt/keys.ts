import { createPublicKey } from 'node:crypto';
import { guardOfKey, type Announcer } from '../reconcile/intents.ts';
import type { DistributionState, KeyReference, KeyState } from '../state/key-records.ts';
import { mostSeenAtOnce, type KeyStore } from '../state/keys.ts';
import type { NameIndex } from '../state/names.ts';
import { announceAll, clearRefusal, wakeAll, withoutRefusal } from './distribution-wake.ts';
import {
  decideCreation,
  decideDeletion,
  decideRotation,
  decideUpdate,
  existingKey,
  providerNames,
  type KeyFields,
} from './key-decisions.ts';
import { withinGenerationLimit } from './generation-limit.ts';
import type { GenerateKeyPair } from './key-generation.ts';
import type { KeyType } from './key-types.ts';
import type { KeyPair } from './rsa-key-pair.ts';
import { repeatUntilWritten } from '../state/repeat.ts';
import type { Outcome, Settlement } from './settlement.ts';
import type { CheckVaults } from './vault-checks.ts';

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
  names: NameIndex;
  announcer: Announcer;
  checkVaults: CheckVaults;
  settlement: Settlement;
  generateKeyPair: GenerateKeyPair;
  now: () => Date;
}

const nothingToWaitFor: Outcome = { warnings: [] };

export function createKeys(options: KeysOptions): Keys {
  const { keys, names, announcer, checkVaults, settlement, generateKeyPair, now } = options;

  function write(reference: KeyReference, fields: KeyFields, waiting: Waiting): Promise<Outcome> {
    return repeatUntilWritten(async () => {
      const state = await keys.read(reference);
      return state === undefined ? create(reference, fields) : update(state, fields, waiting);
    });
  }

  async function create(reference: KeyReference, fields: KeyFields): Promise<Outcome | undefined> {
    const { type, key } = decideCreation(reference, fields);
    return withNewMaterial(type, reference, async (material) => {
      const createdTime = now();
      const stamp = await announcer.announce({ kind: 'key', ...reference });
      if (!(await keys.create(reference, { ...key, createdTime }, { createdTime, ...material }))) {
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
    const { reference } = state;
    const { changes, next, affected } = decideUpdate(state, fields);
    if (changes.length === 0 && affected.length === 0) return nothingToWaitFor;
    const { minEnabledVersion, deletionAllowed } = next.key;
    const changesMinimum = minEnabledVersion !== state.key.minEnabledVersion;
    const guard = changes.length > 0 ? guardOfKey(state) : undefined;
    const stamps = await announceAll(announcer, reference, affected, guard);
    if (changesMinimum) await announceAll(announcer, reference, withheld(state, affected), guard);
    // In one write with the change: whoever follows it must not find a refusal of what was wanted before.
    const cleared = affected.flatMap(withoutRefusal).slice(0, mostSeenAtOnce);
    if (changes.length > 0 && !(await keys.update(state, { minEnabledVersion, deletionAllowed }, cleared)))
      return undefined;
    for (const { distribution } of affected)
      await clearRefusal(keys, { ...reference, provider: distribution.provider });
    return wakeAll(announcer, stamps, () => settlement.settle(reference, providerNames(affected), waiting));
  }

  async function rotate(reference: KeyReference, waiting: Waiting): Promise<Outcome> {
    const first = await readOrFail(reference);
    await checkVaults(first);
    return withNewMaterial(first.key.type as KeyType, reference, (material) =>
      repeatUntilWritten(async () => {
        const state = await readOrFail(reference);
        const createdTime = now();
        const { affected } = decideRotation(state, createdTime);
        const guard = guardOfKey(state);
        const stamps = await announceAll(announcer, reference, affected, guard);
        await announceAll(announcer, reference, withheld(state, affected), guard);
        const version = state.key.latestVersion + 1;
        const added = await keys.addVersion(state, { createdTime, ...material });
        if (!added && !(await holds(reference, version, material))) return undefined;
        return wakeAll(announcer, stamps, () => settlement.settle(reference, providerNames(affected), waiting));
      }),
    );
  }

  /**
   * The client of Table Storage repeats a write whose reply it lost, and then hears a refusal: whoever took that for
   * somebody else's write would rotate a second time.
   */
  async function holds(reference: KeyReference, version: number, { publicKey }: KeyPair): Promise<boolean> {
    const state = await keys.read(reference);
    return state?.versions.some((held) => held.version === version && held.publicKey.equals(publicKey)) ?? false;
  }

  async function readOrFail(reference: KeyReference): Promise<KeyState> {
    return existingKey(await keys.read(reference), reference);
  }

  async function withNewMaterial<T>(
    type: KeyType,
    { mount: owner }: KeyReference,
    use: (material: KeyPair) => Promise<T>,
  ): Promise<T> {
    const material = await withinGenerationLimit((signal) => generateKeyPair(type, { owner, signal }));
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
        decideDeletion(state);
        const stamp = await announcer.announce({ kind: 'key', ...reference });
        if (!(await keys.remove(state))) return undefined;
        await names.remove(reference.mount, 'key', reference.key);
        await announcer.withdraw({ kind: 'key', ...reference }, stamp);
        return true;
      });
    },
  };
}

/** Nobody is woken for a copy that is refused; but it may be mended before the change is written, and then has to follow. */
function withheld({ distributions }: KeyState, affected: readonly DistributionState[]): DistributionState[] {
  return distributions.filter((entry) => !entry.distribution.removing && !affected.includes(entry));
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
