import { createPublicKey } from 'node:crypto';
import { AzureFailure, isAzureFailure } from '../azure-failure.ts';
import { KeyfleetError } from '../errors.ts';
import { wrapForTransfer } from '../key-vault/byok.ts';
import type { ImportOptions, TargetVault } from '../key-vault/target-vault.ts';
import type { VaultKey } from '../key-vault/transformations.ts';
import type {
  Copy,
  Deviation,
  DistributionRecord,
  DistributionReference,
  KeyReference,
  Stored,
  VersionRecord,
} from '../state/key-records.ts';
import type { KeyStore } from '../state/keys.ts';
import type { ProviderRecord, ProviderStore } from '../state/providers.ts';
import { keyExchangeKeyName, ownerOf, type Targets } from './target.ts';
import { operationsOf, ownerTag, sameMembers, tagNames, tagsOf } from './version-marks.ts';

/** A version as it came to be in the vault. */
export interface Placed extends Copy {
  updatedTime: Date;
  /** Set if a read showed it, not the reply to a change. */
  readTime?: Date;
  /** What that read showed to be otherwise than it was given. */
  deviations?: Deviation[];
}

export interface ImportRequest {
  reference: KeyReference;
  providerName: string;
  provider: Stored<ProviderRecord>;
  vault: TargetVault;
  distribution: DistributionRecord;
  /** What was put under its name before: number of the version by Key Vault's id. People may have taken its tags off. */
  known: ReadonlyMap<string, number>;
  version: VersionRecord;
  enabled: boolean;
}

export interface VersionImporter {
  /**
   * Looks whether the version is in the vault already, as after a lost reply.
   * @returns undefined if it certainly isn't
   * @throws AzureFailure; `conflict` if the name is held by a key that isn't ours, under which we never put anything
   */
  find(request: ImportRequest): Promise<Placed | undefined>;
  /**
   * The key that the material is to be wrapped with; undefined where it has to travel plain, inside TLS.
   * @throws AzureFailure
   */
  prepare(request: ImportRequest): Promise<VaultKey | undefined>;
  /**
   * Imports the version and checks what the vault says it now holds.
   * @throws AzureFailure
   */
  import(request: ImportRequest, exchangeKey: VaultKey | undefined, deadline: Date): Promise<Placed>;
}

export interface VersionImporterOptions {
  keys: KeyStore;
  providers: ProviderStore;
  targets: Targets;
  now: () => Date;
}

export function createVersionImporter({ keys, providers, targets, now }: VersionImporterOptions): VersionImporter {
  /** The old name is held by a deleted key, which only its owner may recover or purge: the next try uses another. */
  async function renameExchangeKey({ reference, providerName, provider }: ImportRequest): Promise<void> {
    const owner = { mount: reference.mount, provider: providerName };
    // Booking a place for a key touches the provider: what was read before that can't be written any more.
    const current = await providers.read(owner);
    if (current === undefined || current.kekName !== provider.kekName) return;
    const kekName = keyExchangeKeyName(ownerOf(owner.mount, owner.provider), now());
    await providers.update(owner, { ...current, kekName });
  }

  return {
    async find(request) {
      const { vault, distribution, version } = request;
      const newest = await vault.getKey(distribution.kmsName);
      if (newest === undefined) return undefined;
      const found = numberOf(newest, request);
      if (found === undefined) {
        const mayBeBelow = request.known.size > 0 || distribution.attempt?.version === version.version;
        if (mayBeBelow) return findAmongVersions(request, now());
        throw new AzureFailure(
          'conflict',
          `Key Vault "${vault.name}" has a key "${distribution.kmsName}" of somebody else`,
        );
      }
      // Versions go to the vault in ascending order, so what is newer than the newest isn't there.
      if (found < version.version) return undefined;
      if (found > version.version) return findAmongVersions(request, now());
      return adopt(newest, request, now());
    },

    async prepare(request) {
      const { reference, providerName, provider, vault, distribution } = request;
      try {
        return await targets.keyExchangeKeys.obtain(vault, provider.kekName, ownerOf(reference.mount, providerName));
      } catch (error) {
        // A Standard vault can't hold the key that receives wrapped ones.
        if (distribution.protection === 'software' && isAzureFailure(error, 'refused')) return undefined;
        if (isAzureFailure(error, 'conflict')) await renameExchangeKey(request);
        throw error;
      }
    },

    async import(request, exchangeKey, deadline) {
      const { reference, vault, distribution, version, enabled } = request;
      const privateKey = await keys.readPrivateKey(reference, version.version);
      if (privateKey === undefined) {
        throw new KeyfleetError('internal', `version ${version.version} of key "${reference.key}" has no private key`);
      }
      try {
        const options: ImportOptions = {
          operations: operationsOf(distribution),
          enabled,
          tags: tagsOf(distributionOf(request), distribution, version),
          deadline,
        };
        const imported =
          exchangeKey === undefined
            ? await vault.importPlain(distribution.kmsName, privateKey, options)
            : await vault.importWrapped(distribution.kmsName, wrapForTransfer(privateKey, exchangeKey), {
                ...options,
                hardware: distribution.protection === 'hsm',
              });
        verify(imported, request);
        return toPlaced(imported);
      } finally {
        privateKey.fill(0);
      }
    },
  };
}

/** The only use of the list permission: somebody else's version on top hides whether ours is below. */
async function findAmongVersions(request: ImportRequest, now: Date): Promise<Placed | undefined> {
  const { vault, distribution, version } = request;
  const versions = await vault.listVersions(distribution.kmsName);
  const ours = versions.map((summary) => ({ summary, number: numberOf(summary, request) }));
  if (ours.every(({ number }) => number === undefined)) {
    throw new AzureFailure(
      'conflict',
      `Key Vault "${vault.name}" has a key "${distribution.kmsName}" that Keyfleet did not make; it is left alone`,
    );
  }
  const found = ours.find(({ number }) => number === version.version);
  if (found === undefined) return undefined;
  // A list shows neither material nor operations.
  const key = await vault.getKeyVersion(distribution.kmsName, found.summary.version);
  if (key !== undefined) return adopt(key, request, now);
  throw new AzureFailure(
    'unavailable',
    `Key Vault "${vault.name}" lists version ${version.version} of "${distribution.kmsName}" and doesn't show it`,
  );
}

/** What was imported before, and may have been changed by people since; that is for the plan to mend. */
function adopt(key: VaultKey, request: ImportRequest, now: Date): Placed {
  verifyMaterial(key, request);
  const isAltered = !sameMembers(key.operations, operationsOf(request.distribution));
  return { ...toPlaced(key), readTime: now, ...(isAltered && { deviations: ['operations'] }) };
}

/** @returns undefined if it is somebody else's */
function numberOf(
  { version: id, tags }: Pick<VaultKey, 'version' | 'tags'>,
  request: ImportRequest,
): number | undefined {
  const isTagged = tags[tagNames.owner] === ownerTag(distributionOf(request));
  return request.known.get(id) ?? (isTagged ? Number(tags[tagNames.version]) : undefined);
}

/** Confirmation rests on what the vault says it holds, not on the call having returned. */
function verify(key: VaultKey, request: ImportRequest): void {
  verifyMaterial(key, request);
  if (sameMembers(key.operations, operationsOf(request.distribution))) return;
  throw notAsGiven(request, `other operations (${key.operations.join(', ')})`);
}

function verifyMaterial(key: VaultKey, request: ImportRequest): void {
  const expected = createPublicKey({ key: request.version.publicKey, format: 'der', type: 'spki' });
  if (!expected.equals(key.publicKey)) throw notAsGiven(request, 'other key material');
}

function notAsGiven({ vault, distribution, version }: ImportRequest, wrong: string): AzureFailure {
  return new AzureFailure(
    'refused',
    `Key Vault "${vault.name}" has version ${version.version} of "${distribution.kmsName}" with ${wrong} than it was given`,
  );
}

function toPlaced({ version, enabled, updatedTime }: VaultKey): Placed {
  return { kmsVersion: version, enabled, updatedTime };
}

function distributionOf({ reference, providerName }: ImportRequest): DistributionReference {
  return { ...reference, provider: providerName };
}
