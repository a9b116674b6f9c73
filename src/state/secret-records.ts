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
  /** 0 until the oldest version had to go for the first time. */
  oldestVersion: number;
  /** In ascending order. */
  versions: readonly SecretVersion[];
  createdTime: Date;
  updatedTime: Date;
  /** 0: as the engine says. */
  maxVersions: number;
  casRequired: boolean;
  /** 0: as the engine says. Negative: never, whatever the engine says. */
  deleteVersionAfterSeconds: number;
  customMetadata: Readonly<Record<string, string>> | null;
}

/** What a follower has to know of the last change of a secret. */
export interface SecretChange {
  kind: 'version' | 'delete' | 'undelete' | 'destroy' | 'metadata' | 'metadata-delete';
  time: Date;
  /** Grows with every change of this secret, deletion and re-creation included. */
  sequence: number;
}

export interface SecretEngineConfig {
  maxVersions: number;
  casRequired: boolean;
  /** 0: unset. Negative: versions are never deleted by time, whatever a secret says. */
  deleteVersionAfterSeconds: number;
}
