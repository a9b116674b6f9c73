/** Names a secret: mounts are named by uuid, so that a mount enabled anew starts empty. */
export interface SecretReference {
  mount: string;
  /** Segments joined by `/`, none empty. */
  path: string;
}

export interface SecretVersion {
  version: number;
  createdTime: Date;
  /** From this moment on the version counts as deleted; may lie ahead. */
  deletionTime?: Date;
  /** The value is gone for good. */
  destroyed: boolean;
}

/** A secret without its values. */
export interface SecretRecord {
  /** 0 as long as there is only metadata. */
  currentVersion: number;
  /** 0 until there are as many versions as may be kept. */
  oldestVersion: number;
  /** In ascending order. */
  versions: readonly SecretVersion[];
  createdTime: Date;
  /** When the current version was made. */
  updatedTime: Date;
  /** 0: as the engine says. */
  maxVersions: number;
  casRequired: boolean;
  /** 0: as the engine says. */
  deleteVersionAfterSeconds: number;
  /** Null if there is none; never empty. */
  customMetadata: Readonly<Record<string, string>> | null;
}

/** What a follower has to know of the last change of a secret. */
export interface SecretChange {
  kind: 'version' | 'patch' | 'delete' | 'undelete' | 'destroy' | 'metadata' | 'metadata-delete';
  time: Date;
  /** Unlike that of any other change: whoever lost the reply to a write knows it again by this. */
  id: string;
  /** Grows with every change of this secret, removal and re-creation included. */
  sequence: number;
}

export interface SecretEngineConfig {
  maxVersions: number;
  casRequired: boolean;
  /** 0: unset. Negative: versions are never deleted by time, whatever a secret says. */
  deleteVersionAfterSeconds: number;
}

/** @param text a record as `JSON.stringify` wrote it */
export function parseRecord(text: string): SecretRecord {
  type Json = Omit<SecretRecord, 'createdTime' | 'updatedTime' | 'versions'> & {
    createdTime: string;
    updatedTime: string;
    versions: { version: number; createdTime: string; deletionTime?: string; destroyed: boolean }[];
  };
  const { createdTime, updatedTime, versions, ...rest } = JSON.parse(text) as Json;
  return {
    ...rest,
    createdTime: new Date(createdTime),
    updatedTime: new Date(updatedTime),
    versions: versions.map(({ version, createdTime: created, deletionTime, destroyed }) => ({
      version,
      createdTime: new Date(created),
      ...(deletionTime !== undefined && { deletionTime: new Date(deletionTime) }),
      destroyed,
    })),
  };
}
