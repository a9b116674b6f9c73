import type { MountTable } from '../state/mounts.ts';
import type { Session } from './authentication.ts';
import { longestMount } from './mount-paths.ts';
import type { RequestedOperation } from './operations.ts';
import { type ExistenceCheck, existsAt } from './policies/existence.ts';
import { routedPath } from './router.ts';

export interface PolicyQuestion {
  session: Session;
  /** The path is root-protected: the rule that allows the operation must grant `sudo` too. */
  needsSudo: boolean;
  operation: RequestedOperation;
  /** Canonical, without `v1/` and trailing slash. */
  path: string;
  readMounts: () => Promise<MountTable>;
}

/**
 * Decides whether a caller's policies allow a request. As in Vault a write is an `update`, unless the endpoint can tell
 * whether what is written exists already: then making something new is a `create`.
 */
export async function isAllowed(
  { session: { acl, record }, needsSudo, operation, path, readMounts }: PolicyQuestion,
  existenceChecks: readonly ExistenceCheck[],
): Promise<boolean> {
  // Help is for everybody, as in Vault; but in a tenant everybody can have a token that is good for nothing.
  if (operation === 'help') return record.policies.length > 0;
  if (needsSudo && !acl.isSudo(operation === 'write' ? 'update' : operation, routedPath({ path, operation })))
    return false;
  if (operation !== 'write') return acl.allows(operation, routedPath({ path, operation }));
  const mayCreate = acl.allows('create', path);
  const mayUpdate = acl.allows('update', path);
  // Looking is only worth it where the answer decides.
  if (mayCreate === mayUpdate) return mayUpdate;
  const { mounts } = await readMounts();
  const mount = longestMount(mounts, path);
  const exists = mount && (await existsAt(existenceChecks, mount, path.slice(mount.path.length)));
  return exists === false ? mayCreate : mayUpdate;
}
