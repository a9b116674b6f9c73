import type {
  Attempt,
  Copy,
  Deviation,
  DistributionRecord,
  DistributionState,
  KeyRecord,
  KeyReference,
  KeyState,
  PlacementRecord,
  Stored,
  Stray,
  VersionRecord,
} from './key-records.ts';
import type { Entity, Properties } from './table.ts';

/*
 * One key is one partition. Rows sort so that everything but the sealed private keys is one range:
 * distribution|<provider>, key, placement|<provider>|<version>, version|<version>, then ~material|<version>.
 */

export const keyRow = 'key';
export const firstMaterialRow = '~';
export const distributionRow = (provider: string) => `distribution|${provider}`;
export const placementPrefix = (provider: string) => `placement|${provider}|`;
export const placementRow = (provider: string, version: number) => placementPrefix(provider) + padded(version);
export const versionRow = (version: number) => `version|${padded(version)}`;
export const materialRow = (version: number) => `${firstMaterialRow}material|${padded(version)}`;

export const keyPartition = ({ mount, key }: KeyReference) => `${mount}|${key}`;

/** Row keys sort as text; ten digits keep versions in their order. */
function padded(version: number): string {
  return String(version).padStart(10, '0');
}

export function keyProperties(key: KeyRecord): Properties {
  const { type, latestVersion, minEnabledVersion, deletionAllowed, createdTime, deleting } = key;
  return { type, latestVersion, minEnabledVersion, deletionAllowed, createdTime, deleting };
}

export function versionProperties({ version, createdTime, publicKey }: VersionRecord): Properties {
  return { version, createdTime, publicKey };
}

export function distributionProperties(distribution: DistributionRecord): Properties {
  const { provider, kmsName, purpose, protection, distributedTime, removing } = distribution;
  const { attempt, refusal, delay, strays, drift, restoration } = distribution;
  return {
    provider,
    kmsName,
    purpose: purpose.join(','),
    protection,
    distributedTime,
    removing,
    ...(attempt && { attemptVersion: attempt.version, attemptUntil: attempt.until, attemptHolder: attempt.holder }),
    ...(refusal && { refusalReason: refusal.reason, refusalTime: refusal.time }),
    ...(refusal?.retryTime && { refusalRetryTime: refusal.retryTime }),
    ...(delay !== undefined && { delay }),
    ...(strays !== undefined && strays.length > 0 && { strays: strays.join(',') }),
    ...(drift !== undefined && { drift }),
    ...(restoration !== undefined && { restoration }),
  };
}

export function placementProperties(placement: PlacementRecord): Properties {
  const { provider, version, kmsVersion, enabled, confirmedTime, duplicates } = placement;
  const { unsure, updatedTime, readTime, deviations = [] } = placement;
  return {
    ...{ provider, version, kmsVersion, enabled, confirmedTime },
    ...(unsure === true && { unsure }),
    ...(updatedTime && { updatedTime }),
    ...(readTime && { readTime }),
    ...(deviations.length > 0 && { deviations: deviations.join(',') }),
    ...(duplicates && { duplicates: JSON.stringify(duplicates) }),
  };
}

/** @returns undefined if the partition holds no key, or one whose deletion has begun */
export function toKeyState(reference: KeyReference, entities: readonly Entity[]): KeyState | undefined {
  const keyEntity = entities.find(({ row }) => row === keyRow);
  if (keyEntity === undefined) return undefined;
  const key = { ...(keyEntity.properties as unknown as KeyRecord), etag: keyEntity.etag };
  if (key.deleting) return undefined;

  const versions: VersionRecord[] = [];
  const distributions: Stored<DistributionRecord>[] = [];
  const placements = new Map<string, PlacementRecord[]>();
  for (const entity of entities) {
    if (entity.row.startsWith('version|')) versions.push(toVersion(entity));
    else if (entity.row.startsWith('distribution|')) distributions.push(toDistribution(entity));
    else if (entity.row.startsWith('placement|')) {
      const placement = toPlacement(entity);
      placements.set(placement.provider, [...(placements.get(placement.provider) ?? []), placement]);
    }
  }
  const states: DistributionState[] = distributions.map((distribution) => ({
    distribution,
    placements: placements.get(distribution.provider) ?? [],
  }));
  return { reference, key, versions, distributions: states };
}

function toVersion({ properties }: Entity): VersionRecord {
  const { version, createdTime, publicKey } = properties as {
    version: number;
    createdTime: Date;
    publicKey: Uint8Array;
  };
  return { version, createdTime, publicKey: Buffer.from(publicKey) };
}

function toPlacement({ properties }: Entity): PlacementRecord {
  const { duplicates, deviations, ...rest } = properties;
  return {
    ...(rest as unknown as Omit<PlacementRecord, 'duplicates' | 'deviations'>),
    ...(deviations !== undefined && { deviations: (deviations as string).split(',') as Deviation[] }),
    ...(duplicates !== undefined && { duplicates: JSON.parse(duplicates as string) as Copy[] }),
  };
}

export function toDistribution({ properties, etag }: Entity): Stored<DistributionRecord> {
  const { purpose, strays, attemptVersion, attemptUntil, attemptHolder, ...others } = properties;
  const { refusalReason, refusalTime, refusalRetryTime, ...rest } = others;
  const attempt = attemptVersion !== undefined && {
    attempt: { version: attemptVersion, until: attemptUntil, holder: attemptHolder } as Attempt,
  };
  const refusal = refusalReason !== undefined && {
    reason: refusalReason as string,
    time: refusalTime as Date,
    ...(refusalRetryTime !== undefined && { retryTime: refusalRetryTime as Date }),
  };
  return {
    ...(rest as unknown as Omit<DistributionRecord, 'purpose' | 'strays' | 'attempt' | 'refusal'>),
    purpose: (purpose as string).split(','),
    ...attempt,
    ...(refusal && { refusal }),
    ...(strays !== undefined && { strays: (strays as string).split(',') as Stray[] }),
    etag,
  };
}
