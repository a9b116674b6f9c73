import type { MountStore } from '../../state/mounts.ts';
import { type BuiltinRoute, defineBuiltinRoute } from '../builtin.ts';
import { invalidRequest } from '../errors.ts';
import { conflictingMount } from '../mount-paths.ts';
import { newMountPath } from './mount-path.ts';
import { changeMounts } from './mount-table.ts';

/**
 * `sys/remount`: moves a mount to another path. Data belongs to the mount and not to its path, so a move is one write and
 * is done when it is answered; the status that clients then ask for tells what the mounts say.
 */
export function createRemountRoutes({ mounts }: { mounts: MountStore }): BuiltinRoute[] {
  return [
    defineBuiltinRoute({
      path: 'remount',
      synopsis: 'Moves a secrets engine to another path.',
      fields: {
        from: { type: 'string', description: 'Where it is.' },
        to: { type: 'string', description: 'Where it is to be.' },
      },
      async write({ fields }) {
        const from = `${trimmed(fields.from, 'from')}/`;
        const to = newMountPath(trimmed(fields.to, 'to'));
        await changeMounts(mounts, async (table) => {
          const mount = table.mounts.find(({ path }) => path === from);
          if (mount === undefined) throw invalidRequest(`no matching mount at "${from}"`);
          const others = table.mounts.filter(({ path }) => path !== from);
          const conflict = conflictingMount(others, to);
          if (conflict !== undefined) throw invalidRequest(`path is already in use at ${conflict.path}`);
          return mounts.replace(from, { ...mount, path: to }, table.revision);
        });
        return { data: { migration_id: toMigrationId(from, to) }, copyToTopLevel: true };
      },
    }),

    defineBuiltinRoute({
      path: 'remount/status/:migration_id',
      synopsis: 'Tells whether a move is done.',
      fields: {},
      async read({ parameters }) {
        const migration = fromMigrationId(parameters.migration_id);
        if (migration === undefined) return undefined;
        const paths = new Set((await mounts.read()).mounts.map(({ path }) => path));
        if (!paths.has(migration.to) || paths.has(migration.from)) return undefined;
        return {
          data: {
            migration_id: parameters.migration_id,
            migration_info: { source_mount: migration.from, target_mount: migration.to, status: 'success' },
          },
          copyToTopLevel: true,
        };
      },
    }),
  ];
}

function trimmed(path: string | undefined, field: string): string {
  const text = (path ?? '').replace(/^\/+|\/+$/g, '');
  if (text === '') throw invalidRequest(`both "from" and "to" path must be specified as a string: ${field} is missing`);
  return text;
}

/** What was moved where stands in the id itself: there is nothing else to remember of a move that is done. */
function toMigrationId(from: string, to: string): string {
  return Buffer.from(JSON.stringify([from, to])).toString('hex');
}

function fromMigrationId(id: string): { from: string; to: string } | undefined {
  try {
    const [from, to] = JSON.parse(Buffer.from(id, 'hex').toString()) as unknown[];
    return typeof from === 'string' && typeof to === 'string' ? { from, to } : undefined;
  } catch {
    return undefined;
  }
}
