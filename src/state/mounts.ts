import { encodeForKey } from './key-encoding.ts';
import type { Action, Entity, Table } from './table.ts';

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
  /** Opaque; changes with every change of the table. */
  revision: string;
}

export interface MountStore {
  read(): Promise<MountTable>;
  /** @returns false, with nothing changed, if the table is no longer at `revision`: read again and decide again. */
  insert(mount: Mount, revision: string): Promise<boolean>;
  /**
   * Replaces the mount at `path`, which moves if `mount` has another one.
   * @returns false, with nothing changed, if the table is no longer at `revision`.
   */
  replace(path: string, mount: Mount, revision: string): Promise<boolean>;
  /** @returns false, with nothing changed, if the table is no longer at `revision`. */
  remove(path: string, revision: string): Promise<boolean>;
}

const partition = 'mounts';
const revisionRow = 'revision';
const mountPrefix = 'mount|';

/** Mounts in one partition; the revision row is written with every change, so that changes can't cross. */
export function createMountStore(table: Table): MountStore {
  function bumpRevision(revision: string): Action {
    return revision === ''
      ? { kind: 'insert', row: revisionRow, properties: {} }
      : { kind: 'replace', row: revisionRow, etag: revision, properties: {} };
  }

  return {
    async read() {
      const entities = await table.query(partition);
      return {
        mounts: entities.filter(({ row }) => row.startsWith(mountPrefix)).map(toMount),
        revision: entities.find(({ row }) => row === revisionRow)?.etag ?? '',
      };
    },
    insert: (mount, revision) =>
      table.transact(partition, [
        bumpRevision(revision),
        { kind: 'insert', row: rowOf(mount.path), properties: { mount: JSON.stringify(mount) } },
      ]),
    // At the revision at which the mount was read it is still there, and its new place is free.
    replace: (path, mount, revision) =>
      table.transact(partition, [
        bumpRevision(revision),
        { kind: 'upsert', row: rowOf(mount.path), properties: { mount: JSON.stringify(mount) } },
        ...(path === mount.path ? [] : [{ kind: 'remove' as const, row: rowOf(path) }]),
      ]),
    remove: (path, revision) =>
      table.transact(partition, [bumpRevision(revision), { kind: 'remove', row: rowOf(path) }]),
  };
}

function rowOf(path: string): string {
  return mountPrefix + encodeForKey(path);
}

function toMount({ properties }: Entity): Mount {
  return JSON.parse(properties.mount as string) as Mount;
}
