import { KeyfleetError } from '../../errors.ts';
import type { Mount, MountStore, MountTable } from '../../state/mounts.ts';
import type { Engine } from '../engine.ts';
import { invalidRequest } from '../errors.ts';
import { conflictingMount } from '../mount-paths.ts';

const maximumTries = 5;

/**
 * Decides again whenever somebody else changed the mounts meanwhile.
 * @param change resolves to false if the table had moved on
 */
export async function changeMounts(
  mounts: Pick<MountStore, 'read'>,
  change: (table: MountTable) => Promise<boolean>,
): Promise<void> {
  for (let tries = 0; tries < maximumTries; tries++) {
    if (await change(await mounts.read())) return;
  }
  throw new KeyfleetError('unavailable', 'the mounts are being changed by others: try again');
}

/** Enables and disables mounts. */
export function createMountTable({ mounts, engines }: { mounts: MountStore; engines: readonly Engine[] }) {
  return {
    /** @throws KeyfleetError `invalid_request` if a mount is at, above or below the path */
    async enable(mount: Mount): Promise<void> {
      await changeMounts(mounts, async (table) => {
        const conflict = conflictingMount(table.mounts, mount.path);
        if (conflict !== undefined) throw invalidRequest(`path is already in use at ${conflict.path}`);
        return mounts.insert(mount, table.revision);
      });
    },

    /**
     * Removes a mount and its data; nothing happens if there is none. The mount goes last: as long as it is there, a
     * removal that failed half-way can be asked for again.
     * @throws KeyfleetError whatever the engine refuses with
     */
    async disable(path: string): Promise<void> {
      await changeMounts(mounts, async (table) => {
        const mount = table.mounts.find((candidate) => candidate.path === path);
        if (mount === undefined) return true;
        const engine = engines.find(({ type }) => type === mount.type);
        if (engine === undefined) {
          throw new KeyfleetError('unavailable', `no engine of type "${mount.type}" is running`);
        }
        await engine.beforeDisable?.(mount);
        await engine.removeAll?.(mount);
        return mounts.remove(path, table.revision);
      });
    },
  };
}
