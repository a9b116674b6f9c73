import type { Mount } from '../../state/mounts.ts';
import { matchRoutePath } from '../route-path.ts';

export interface ExistenceQuestion {
  mount: Mount;
  /** What stands in the path at `:name` and `*name`. */
  parameters: Readonly<Record<string, string>>;
}

/** Tells whether a write at a path of an engine would make something new: policies grant that separately. */
export interface ExistenceCheck {
  /** Type of the engine. */
  mountType: string;
  /** A route's path, relative to the mount. */
  path: string;
  exists(question: ExistenceQuestion): Promise<boolean>;
}

/**
 * @param path relative to the mount
 * @returns undefined where no check is offered
 */
export async function existsAt(
  checks: readonly ExistenceCheck[],
  mount: Mount,
  path: string,
): Promise<boolean | undefined> {
  for (const check of checks) {
    if (check.mountType !== mount.type) continue;
    const parameters = matchRoutePath(check.path, path);
    if (parameters !== undefined) return check.exists({ mount, parameters: Object.fromEntries(parameters) });
  }
  return undefined;
}
