import { decodeFromKey, encodeForKey, encodePathForKey } from './key-encoding.ts';
import { repeatUntilWritten } from './repeat.ts';
import type { SecretReference } from './secret-records.ts';
import { maxActions, type Action, type Table } from './table.ts';

/**
 * Which names there are in each folder of a mount, so that a list reads nothing but its own folder.
 *
 * Each folder is a partition and no transaction spans two, so entries are written one after another. What makes them
 * agree in the end: whoever writes an entry looks, after that, whether it still is as it should be.
 */
export interface FolderIndex {
  /** Enters a secret, and the folders on the way to it. */
  add(reference: SecretReference): Promise<void>;
  /** Takes a secret out, and the folders that are empty without it; puts right what an earlier try left. */
  remove(reference: SecretReference): Promise<void>;
  /** @param folder '' for the root, else without trailing slash. @returns names in order; those of folders end in `/` */
  list(mount: string, folder: string): Promise<string[]>;
  /** Takes out all that is in a folder, but not the folder itself. */
  clear(mount: string, folder: string): Promise<void>;
}

export function createFolderIndex(table: Table): FolderIndex {
  const partitionOf = (mount: string, folder: string) => `folder|${mount}|${encodePathForKey(folder)}`;

  async function put(mount: string, { folder, name }: Entry): Promise<void> {
    await table.transact(partitionOf(mount, folder), [{ kind: 'upsert', row: encodeForKey(name), properties: {} }]);
  }

  async function drop(mount: string, { folder, name }: Entry): Promise<void> {
    // A name that is gone already is as good as removed.
    await table.transact(partitionOf(mount, folder), [{ kind: 'remove', row: encodeForKey(name) }]);
  }

  async function isEmpty(mount: string, folder: string): Promise<boolean> {
    return (await table.query(partitionOf(mount, folder), { atMost: 1 })).length === 0;
  }

  /** Enters or takes out a folder according to what is in it. */
  async function agree(mount: string, entry: Entry, folder: string): Promise<void> {
    await repeatUntilWritten(async () => {
      const empty = await isEmpty(mount, folder);
      await (empty ? drop(mount, entry) : put(mount, entry));
      return (await isEmpty(mount, folder)) === empty ? true : undefined;
    });
  }

  return {
    async add({ mount, path }) {
      // The secret before the folders: whoever takes an empty folder out looks into it once more after that.
      for (const entry of entriesOf(path)) await put(mount, entry);
    },

    async remove({ mount, path }) {
      const [secret, ...folders] = entriesOf(path);
      if (secret === undefined) return;
      await drop(mount, secret);
      let inside = secret.folder;
      for (const entry of folders) {
        await agree(mount, entry, inside);
        inside = entry.folder;
      }
    },

    async list(mount, folder) {
      const rows = await table.query(partitionOf(mount, folder));
      return rows.map(({ row }) => decodeFromKey(row)).sort();
    },

    async clear(mount, folder) {
      const partition = partitionOf(mount, folder);
      const rows = await table.query(partition);
      for (let start = 0; start < rows.length; start += maxActions) {
        const actions = rows.slice(start, start + maxActions).map(({ row }): Action => ({ kind: 'remove', row }));
        // Refused if somebody took one of them out meanwhile; then one by one.
        if (await table.transact(partition, actions)) continue;
        for (const action of actions) await table.transact(partition, [action]);
      }
    },
  };
}

interface Entry {
  /** '' for the root. */
  folder: string;
  name: string;
}

/** `a/b/c` -> `c` in `a/b`, `b/` in `a`, `a/` in the root */
function entriesOf(path: string): Entry[] {
  const segments = path.split('/');
  return segments
    .map((segment, index) => ({
      folder: segments.slice(0, index).join('/'),
      name: index === segments.length - 1 ? segment : `${segment}/`,
    }))
    .reverse();
}
