import { randomUUID } from 'node:crypto';
import type { Principal } from '../principals.ts';
import { forbidden } from './errors.ts';
import { knownDataActions, knownPolicyWords, permissions, type OperationName, type Permission } from './permissions.ts';
import { compileDataActions } from './roles.ts';

/** Permission words as an access policy lists them, e.g. `get`, `wrapKey`; case is ignored; `all` is every word. */
export interface AccessPolicyGrant {
  keys?: readonly string[];
  secrets?: readonly string[];
}

/** Built-in roles by id or name, and the data actions of custom roles, assigned at the vault's scope. */
export interface RoleGrant {
  roles?: readonly string[];
  /** Full names: `Microsoft.KeyVault/vaults/keys/create/action`, `Microsoft.KeyVault/vaults/secrets/*`. */
  dataActions?: readonly string[];
}

/** Who may do what, by object id of the principal. A vault has one of the two models. */
export type VaultAccess =
  | { model: 'access-policy'; grants: Readonly<Record<string, AccessPolicyGrant>> }
  | { model: 'rbac'; grants: Readonly<Record<string, RoleGrant>> };

export interface AccessControl {
  readonly model: VaultAccess['model'];
  /** Stands for the role assignment that answers name; a vault has one here. */
  readonly assignmentId: string;
  /** @throws Error for a permission, role or data action that doesn't exist, or a grant of the other model */
  set(objectId: string, grant: AccessPolicyGrant | RoleGrant): void;
  remove(objectId: string): void;
  /** @throws KeyVaultError 403 `ForbiddenByPolicy` or `ForbiddenByRbac` */
  demand(principal: Principal, operation: OperationName): void;
}

type Allows = (permission: Permission) => boolean;

export function createAccessControl(vaultName: string, access: VaultAccess): AccessControl {
  const { model } = access;
  const allowed = new Map<string, Allows>();
  const control: AccessControl = {
    model,
    assignmentId: randomUUID().replaceAll('-', ''),
    set: (objectId, grant) => {
      allowed.set(objectId, model === 'rbac' ? compileRoles(grant) : compilePolicy(grant));
    },
    remove: (objectId) => void allowed.delete(objectId),
    demand(principal, operation) {
      const permission = permissions[operation];
      if (allowed.get(principal.objectId)?.(permission)) return;
      const caller = `Caller: appid=${principal.clientId};oid=${principal.objectId}`;
      if (model === 'rbac') {
        const action = `Action: 'Microsoft.KeyVault/vaults/${permission.dataAction}'`;
        const text = `The caller isn't authorized for this action on this resource.\n${caller}\n${action}\nVault: ${vaultName}`;
        throw forbidden(text, 'ForbiddenByRbac');
      }
      const missing = `${permission.kind} ${permission.policyWord} permission`;
      throw forbidden(`The caller lacks the ${missing} on key vault '${vaultName}'. ${caller}`, 'ForbiddenByPolicy');
    },
  };
  const grants: Readonly<Record<string, AccessPolicyGrant | RoleGrant>> = access.grants;
  for (const [objectId, grant] of Object.entries(grants)) control.set(objectId, grant);
  return control;
}

function compileRoles(grant: AccessPolicyGrant | RoleGrant): Allows {
  if ('keys' in grant || 'secrets' in grant) throw new Error('An RBAC vault takes roles and data actions.');
  const { roles = [], dataActions = [] } = grant as RoleGrant;
  const matches = compileDataActions(roles, dataActions, knownDataActions);
  return (permission) => matches(permission.dataAction);
}

function compilePolicy(grant: AccessPolicyGrant | RoleGrant): Allows {
  if ('roles' in grant || 'dataActions' in grant) throw new Error('An access policy vault takes permission words.');
  const policy = grant as AccessPolicyGrant;
  const words = { keys: wordsOf('keys', policy.keys), secrets: wordsOf('secrets', policy.secrets) };
  return ({ kind, policyWord }) => words[kind].has(policyWord.toLowerCase());
}

function wordsOf(kind: Permission['kind'], words: readonly string[] = []): ReadonlySet<string> {
  const lowered = words.map((word) => word.toLowerCase());
  if (lowered.includes('all')) return knownPolicyWords[kind];
  for (const word of lowered) {
    if (!knownPolicyWords[kind].has(word)) throw new Error(`'${word}' isn't a permission on ${kind}.`);
  }
  return new Set(lowered);
}
