import type { Encryption, Place } from './encryption.ts';
import type {
  DistributionRecord,
  DistributionReference,
  DistributionState,
  KeyRecord,
  KeyReference,
  KeyState,
  PlacementRecord,
  Stored,
  VersionMaterial,
} from './key-records.ts';
import {
  distributionProperties,
  distributionRow,
  firstMaterialRow,
  keyPartition,
  keyProperties,
  keyRow,
  materialRow,
  placementPrefix,
  placementProperties,
  placementRow,
  toDistribution,
  toKeyState,
  versionProperties,
  versionRow,
} from './key-rows.ts';
import { maxActions, startingWith, type Action, type Table } from './table.ts';

/**
 * Keys, their versions and their distributions. Every write is one transaction guarded by the ETag that was read;
 * `false` means that somebody else was there first: read again and decide again.
 */
export interface KeyStore {
  read(reference: KeyReference): Promise<KeyState | undefined>;
  /** PKCS#8 DER of one version; the caller zeroes it. Undefined if there is no such version. */
  readPrivateKey(reference: KeyReference, version: number): Promise<Buffer | undefined>;
  /** Makes the key with its first version. */
  create(reference: KeyReference, key: KeyRecord, material: VersionMaterial): Promise<boolean>;
  /**
   * Changes the key, and with it up to {@link mostSeenAtOnce} of its distributions: whoever follows the one sees the others.
   */
  update(
    state: KeyState,
    changes: Partial<Pick<KeyRecord, 'minEnabledVersion' | 'deletionAllowed'>>,
    distributions: readonly Stored<DistributionRecord>[],
  ): Promise<boolean>;
  /** Adds the version that follows the latest one. */
  addVersion(state: KeyState, material: VersionMaterial): Promise<boolean>;
  addDistribution(state: KeyState, distribution: DistributionRecord): Promise<boolean>;
  readDistribution(reference: DistributionReference): Promise<Stored<DistributionRecord> | undefined>;
  /** Writes the distribution, and with it a placement where one was confirmed. */
  putDistribution(
    reference: KeyReference,
    distribution: Stored<DistributionRecord>,
    placement?: PlacementRecord,
  ): Promise<boolean>;
  /** Writes the distribution, and with it what a look at the vault showed of up to {@link mostSeenAtOnce} placements. */
  recordSeen(
    reference: KeyReference,
    distribution: Stored<DistributionRecord>,
    seen: readonly PlacementRecord[],
  ): Promise<boolean>;
  /** Writes the distribution and forgets up to {@link mostSeenAtOnce} of its placements: they aren't in the vault. */
  forgetPlacements(
    reference: KeyReference,
    distribution: Stored<DistributionRecord>,
    forgotten: readonly PlacementRecord[],
  ): Promise<boolean>;
  /** Forgets the distribution and its placements. */
  removeDistribution(reference: DistributionReference, state: DistributionState): Promise<boolean>;
  /** Deletes the key for good: private keys first become unreachable, then everything goes. */
  remove(state: KeyState): Promise<boolean>;
  /** Finishes a deletion that was cut short. */
  finishRemoval(reference: KeyReference): Promise<void>;
  /** @returns whether the key exists to callers */
  exists(reference: KeyReference): Promise<boolean>;
}

/** One transaction takes the distribution and these. */
export const mostSeenAtOnce = maxActions - 1;

export interface KeyStoreOptions {
  table: Table;
  tableName: string;
  encryption: Encryption;
}

export function createKeyStore({ table, tableName, encryption }: KeyStoreOptions): KeyStore {
  const place = (reference: KeyReference, version: number): Place => ({
    table: tableName,
    partition: keyPartition(reference),
    row: materialRow(version),
    field: 'privateKey',
    version,
  });

  async function versionActions(
    reference: KeyReference,
    version: number,
    material: VersionMaterial,
  ): Promise<Action[]> {
    const privateKey = await encryption.seal(place(reference, version), material.privateKey);
    const { createdTime, publicKey } = material;
    return [
      { kind: 'insert', row: versionRow(version), properties: versionProperties({ version, createdTime, publicKey }) },
      { kind: 'insert', row: materialRow(version), properties: { privateKey } },
    ];
  }

  function replaceDistribution(distribution: Stored<DistributionRecord>): Action {
    const { provider, etag } = distribution;
    const properties = distributionProperties(distribution);
    return { kind: 'replace', row: distributionRow(provider), etag, properties };
  }

  function putPlacement(placement: PlacementRecord): Action {
    const row = placementRow(placement.provider, placement.version);
    return { kind: 'upsert', row, properties: placementProperties(placement) };
  }

  function replaceKey({ key }: KeyState, changes: Partial<KeyRecord>): Action {
    return { kind: 'replace', row: keyRow, etag: key.etag, properties: keyProperties({ ...key, ...changes }) };
  }

  async function removeRows(partition: string, rows: readonly string[]): Promise<void> {
    for (let start = 0; start < rows.length; start += maxActions) {
      const chunk = rows.slice(start, start + maxActions);
      // A refusal means that another instance removes the same rows: what is left is read again by the next try.
      const removed = await table.transact(
        partition,
        chunk.map((row) => ({ kind: 'remove', row })),
      );
      if (!removed) return;
    }
  }

  async function finishRemoval(reference: KeyReference): Promise<void> {
    const partition = keyPartition(reference);
    const key = await table.get(partition, keyRow);
    if (key?.properties.deleting !== true) return;
    const rows = (await table.query(partition)).map(({ row }) => row).filter((row) => row !== keyRow);
    await removeRows(partition, rows);
    await table.remove(partition, keyRow, key.etag);
  }

  return {
    async read(reference) {
      return toKeyState(reference, await table.query(keyPartition(reference), { before: firstMaterialRow }));
    },

    async readPrivateKey(reference, version) {
      const entity = await table.get(keyPartition(reference), materialRow(version));
      if (entity === undefined) return undefined;
      return encryption.open(place(reference, version), entity.properties.privateKey as Uint8Array);
    },

    async create(reference, key, material) {
      return table.transact(keyPartition(reference), [
        { kind: 'insert', row: keyRow, properties: keyProperties(key) },
        ...(await versionActions(reference, key.latestVersion, material)),
      ]);
    },

    update(state, changes, distributions) {
      const partition = keyPartition(state.reference);
      return table.transact(partition, [replaceKey(state, changes), ...distributions.map(replaceDistribution)]);
    },

    async addVersion(state, material) {
      const version = state.key.latestVersion + 1;
      return table.transact(keyPartition(state.reference), [
        replaceKey(state, { latestVersion: version }),
        ...(await versionActions(state.reference, version, material)),
      ]);
    },

    addDistribution(state, distribution) {
      // The key's row is written too, so that a deletion that read the key without this distribution is refused.
      return table.transact(keyPartition(state.reference), [
        replaceKey(state, {}),
        {
          kind: 'insert',
          row: distributionRow(distribution.provider),
          properties: distributionProperties(distribution),
        },
      ]);
    },

    async readDistribution(reference) {
      const entity = await table.get(keyPartition(reference), distributionRow(reference.provider));
      return entity && toDistribution(entity);
    },

    putDistribution(reference, distribution, placement) {
      const placements = placement === undefined ? [] : [putPlacement(placement)];
      return table.transact(keyPartition(reference), [replaceDistribution(distribution), ...placements]);
    },

    recordSeen: (reference, distribution, seen) =>
      table.transact(keyPartition(reference), [replaceDistribution(distribution), ...seen.map(putPlacement)]),

    forgetPlacements: (reference, distribution, forgotten) =>
      table.transact(keyPartition(reference), [
        replaceDistribution(distribution),
        ...forgotten.map(({ provider, version }): Action => ({ kind: 'remove', row: placementRow(provider, version) })),
      ]),

    async removeDistribution(reference, { distribution, placements }) {
      const { provider, kmsName } = distribution;
      const partition = keyPartition(reference);
      const row = distributionRow(provider);
      let { etag } = distribution;
      let rows = placements.map(({ version }) => placementRow(provider, version));
      while (rows.length > 0) {
        // Guarded by the distribution's row: the same provider may have been given the key anew meanwhile.
        const removed = await table.transact(partition, [
          { kind: 'replace', row, etag, properties: distributionProperties(distribution) },
          ...rows.slice(0, maxActions - 1).map((placement): Action => ({ kind: 'remove', row: placement })),
        ]);
        if (!removed) return false;
        const current = await table.get(partition, row);
        if (current?.properties.kmsName !== kmsName) return false;
        ({ etag } = current);
        // Read after the ETag: whoever adds a placement from here on changes it.
        rows = (await table.query(partition, startingWith(placementPrefix(provider)))).map((entity) => entity.row);
      }
      return table.remove(partition, row, etag);
    },

    async remove(state) {
      const begun = await table.transact(keyPartition(state.reference), [replaceKey(state, { deleting: true })]);
      if (begun) await finishRemoval(state.reference);
      return begun;
    },

    finishRemoval,

    async exists(reference) {
      const key = await table.get(keyPartition(reference), keyRow);
      return key !== undefined && key.properties.deleting !== true;
    },
  };
}
