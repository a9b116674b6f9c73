import { decodeFromKey, encodeForKey } from './key-encoding.ts';
import type { SecretReference } from './secret-records.ts';
import type { Table } from './table.ts';

/** Which names there are in each folder of a mount, so that a list reads nothing but its own folder. */
export interface FolderIndex {
  /** Enters a secret, and the folders on the way to it. */
  add(reference: SecretReference): Promise<void>;
  /** Takes a secret out, and the folders that are empty without it. */
  remove(reference: SecretReference): Promise<void>;
  /** @param folder '' for the root, else without trailing slash. @returns names in order; those of folders end in `/` */
  list(mount: string, folder: string): Promise<string[]>;
}

export function createFolderIndex(table: Table): FolderIndex {
  const partitionOf = (mount: string, folder: string) => `folder|${mount}|${encodeForKey(folder)}`;

  async function put(mount: string, folder: string, name: string): Promise<void> {
    await table.transact(partitionOf(mount, folder), [{ kind: 'upsert', row: encodeForKey(name), properties: {} }]);
  }

  async function drop(mount: string, folder: string, name: string): Promise<void> {
    // A name that is gone already is as good as removed.
    await table.transact(partitionOf(mount, folder), [{ kind: 'remove', row: encodeForKey(name) }]);
  }

  async function isEmpty(mount: string, folder: string): Promise<boolean> {
    return (await table.query(partitionOf(mount, folder))).length === 0;
  }

  return {
    async add({ mount, path }) {
      // The secret first and the root last: whoever empties a folder looks again after taking it out of its parent.
      for (const [folder, name] of entriesOf(path).reverse()) await put(mount, folder, name);
    },

    async remove({ mount, path }) {
      const entries = entriesOf(path).reverse();
      for (const [index, [folder, name]] of entries.entries()) {
        await drop(mount, folder, name);
        const inside = index === 0 ? undefined : entries[index - 1]?.[0];
        if (inside !== undefined && !(await isEmpty(mount, inside))) {
          await put(mount, folder, name);
          return;
        }
        if (!(await isEmpty(mount, folder))) return;
      }
    },

    async list(mount, folder) {
      const rows = await table.query(partitionOf(mount, folder));
      return rows.map(({ row }) => decodeFromKey(row)).sort();
    },
  };
}

/** `a/b/c` -> ['', 'a/'], ['a', 'b/'], ['a/b', 'c'] */
function entriesOf(path: string): [folder: string, name: string][] {
  const segments = path.split('/');
  return segments.map((segment, index) => [
    segments.slice(0, index).join('/'),
    index === segments.length - 1 ? segment : `${segment}/`,
  ]);
}
