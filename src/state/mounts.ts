/** A secrets engine enabled at a path. Field names and units follow Vault's `sys/mounts`. */
export interface Mount {
  /** Without leading slash, with trailing slash: `keymgmt/`, `team-a/keys/`. */
  path: string;
  type: string;
  /** Names the mount's data; a mount enabled again at the same path gets another one. */
  uuid: string;
  accessor: string;
  description: string;
  defaultLeaseTtlSeconds: number;
  maxLeaseTtlSeconds: number;
  forceNoCache: boolean;
  local: boolean;
  sealWrap: boolean;
  externalEntropyAccess: boolean;
  options: Record<string, string> | null;
}

/** All mounts with the revision they were read at. */
export interface MountTable {
  mounts: readonly Mount[];
  /** Opaque; changes with every insert and removal. */
  revision: string;
}

export interface MountStore {
  read(): Promise<MountTable>;
  /** @returns false, with nothing changed, if the table is no longer at `revision`: read again and decide again. */
  insert(mount: Mount, revision: string): Promise<boolean>;
  /** @returns false, with nothing changed, if the table is no longer at `revision`. */
  remove(path: string, revision: string): Promise<boolean>;
}
