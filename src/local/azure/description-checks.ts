import type { z } from 'zod';
import { createAccessControl, type AccessPolicyGrant, type RoleGrant, type VaultAccess } from '../key-vault/access.ts';
import { queueSettings, type QueueOptions } from '../service-bus/engine/options.ts';

type Context = Pick<z.core.$RefinementCtx, 'addIssue'>;

/** What a vault itself would refuse of its grants: words, roles and data actions that don't exist. */
export function checkAccess(access: VaultAccess, context: Context): void {
  for (const [principal, grant] of Object.entries<AccessPolicyGrant | RoleGrant>(access.grants)) {
    const control = createAccessControl('', { model: access.model, grants: {} });
    report(context, ['grants', principal], () => control.set(principal, grant));
  }
}

/** What the namespace itself would refuse of a queue, a topic or a subscription. */
export function checkQueue(options: QueueOptions, context: Context): void {
  report(context, [], () => void queueSettings(options));
}

function report({ addIssue }: Context, path: string[], attempt: () => void): void {
  try {
    attempt();
  } catch (error) {
    addIssue({ code: 'custom', path, message: (error as Error).message });
  }
}
