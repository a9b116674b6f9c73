import { createHash, randomBytes } from 'node:crypto';
import type { z } from 'zod';
import type { Application, ManagedIdentity, Resource } from '../entra/index.ts';
import type { AccessPolicyGrant, RoleGrant, VaultAccess, VaultOptions } from '../key-vault/index.ts';
import type { Principal } from '../principals.ts';
import type { Authorize, QueueOptions, Right, TopicOptions } from '../service-bus/index.ts';
import type { AzureDescription, CheckedDescription, messagingRoles } from './description.ts';
import { DescriptionError, descriptionSchema } from './description.ts';

/** A description with everything that it leaves open decided. */
export interface ResolvedDescription {
  tenants: readonly string[];
  /** By name. */
  applications: ReadonlyMap<string, Application>;
  /** By name. */
  managedIdentities: ReadonlyMap<string, ManagedIdentity>;
  resources: readonly Resource[];
  vaults: readonly (VaultOptions & { dnsSuffix: string })[];
  queues: readonly QueueOptions[];
  topics: readonly TopicOptions[];
  authorize: Authorize;
  vaultBehaviour: CheckedDescription['vaultBehaviour'];
  ports: CheckedDescription['ports'];
}

/** @throws DescriptionError naming the path of everything that is wrong */
export function resolveDescription(description: AzureDescription): ResolvedDescription {
  const parsed = descriptionSchema.safeParse(description);
  if (!parsed.success) throw new DescriptionError(parsed.error.issues.flatMap(linesOf).join('\n'));
  const checked = parsed.data;
  const problems: string[] = [];
  demandUnique(checked, problems);

  const tenants = checked.tenants;
  const ownTenant = tenants[0] ?? '';
  const tenantOf = (path: string, tenantId = ownTenant): string => {
    if (!tenants.includes(tenantId)) problems.push(`${path}.tenantId: there is no tenant ${tenantId}`);
    return tenantId;
  };
  const principalOf = (
    path: string,
    {
      name,
      tenantId: asked,
      clientId,
      objectId,
    }: { [Key in 'name' | 'tenantId' | 'clientId' | 'objectId']?: string | undefined },
  ): Principal => {
    const tenantId = tenantOf(path, asked);
    return {
      tenantId,
      clientId: clientId ?? idFrom(tenantId, name ?? '', 'client'),
      objectId: objectId ?? idFrom(tenantId, name ?? '', 'object'),
    };
  };

  const applications = new Map<string, Application>();
  checked.applications.forEach(({ name, secrets, federatedCredentials, appRoles, ...ids }, index) => {
    const principal = principalOf(`applications[${index}]`, { name, ...ids });
    applications.set(name, { ...principal, secrets, federatedCredentials, ...(appRoles && { appRoles }) });
  });
  const managedIdentities = new Map<string, ManagedIdentity>();
  checked.managedIdentities.forEach(({ name, kind, identityHeader, resourceId, appRoles, ...ids }, index) => {
    managedIdentities.set(name, {
      ...principalOf(`managedIdentities[${index}]`, { name, ...ids }),
      kind,
      identityHeader: identityHeader ?? randomBytes(24).toString('base64url'),
      ...(resourceId !== undefined && { resourceId }),
      ...(appRoles && { appRoles }),
    });
  });
  const principals = new Map<string, Principal>([...applications, ...managedIdentities]);

  const vaults = checked.vaults.map(({ access, tenantId, ...vault }, index) => ({
    ...vault,
    tenantId: tenantOf(`vaults[${index}]`, tenantId),
    access: access ? grantsByObjectId(access, principals, `vaults[${index}].access`, problems) : open(principals),
  }));
  const authorize = authorizeBy(checked, principals, problems);
  if (problems.length > 0) throw new DescriptionError(problems.join('\n'));
  const { resources, queues, topics, vaultBehaviour, ports } = checked;
  return {
    tenants,
    applications,
    managedIdentities,
    resources,
    vaults,
    queues,
    topics,
    authorize,
    vaultBehaviour,
    ports,
  };
}

function demandUnique(description: CheckedDescription, problems: string[]): void {
  const { applications, managedIdentities, vaults, queues, topics } = description;
  const lists = { applications, managedIdentities, vaults, queues, topics };
  const spaces: (keyof typeof lists)[][] = [['applications', 'managedIdentities'], ['vaults'], ['queues', 'topics']];
  for (const space of spaces) {
    const taken = new Set<string>();
    for (const list of space) {
      lists[list].forEach(({ name }, index) => {
        if (taken.has(name.toLowerCase())) problems.push(`${list}[${index}].name: '${name}' is there already`);
        taken.add(name.toLowerCase());
      });
    }
  }
}

const objectIdPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function grantsByObjectId(
  access: NonNullable<CheckedDescription['vaults'][number]['access']>,
  principals: ReadonlyMap<string, Principal>,
  path: string,
  problems: string[],
): VaultAccess {
  const grants: Record<string, AccessPolicyGrant & RoleGrant> = {};
  for (const [name, grant] of Object.entries<AccessPolicyGrant & RoleGrant>(access.grants)) {
    const objectId = principals.get(name)?.objectId ?? (objectIdPattern.test(name) ? name : undefined);
    if (objectId === undefined) problems.push(`${path}.grants.${name}: no application or identity has this name`);
    else grants[objectId] = grant;
  }
  return { model: access.model, grants };
}

function open(principals: ReadonlyMap<string, Principal>): VaultAccess {
  const grants = [...principals.values()].map(({ objectId }) => [objectId, { roles: ['Key Vault Administrator'] }]);
  return { model: 'rbac', grants: Object.fromEntries(grants) as Record<string, RoleGrant> };
}

const rightsOf: Record<(typeof messagingRoles)[number], readonly Right[]> = {
  'Azure Service Bus Data Owner': ['listen', 'send', 'manage'],
  'Azure Service Bus Data Sender': ['send'],
  'Azure Service Bus Data Receiver': ['listen'],
};

function authorizeBy(
  { messagingRoles: assignments, queues, topics }: CheckedDescription,
  principals: ReadonlyMap<string, Principal>,
  problems: string[],
): Authorize {
  if (!assignments) return () => true;
  const entities = [...queues, ...topics].map(({ name }) => name.toLowerCase());
  const assigned = assignments.map(({ principal, role, entity }, index) => {
    const objectId = principals.get(principal)?.objectId ?? (objectIdPattern.test(principal) ? principal : undefined);
    const path = `messagingRoles[${index}]`;
    if (objectId === undefined) problems.push(`${path}.principal: no application or identity is called '${principal}'`);
    if (entity !== undefined && !entities.includes(entity.toLowerCase())) {
      problems.push(`${path}.entity: there is no queue or topic '${entity}'`);
    }
    return { objectId, rights: rightsOf[role], scope: entity?.toLowerCase() };
  });
  return ({ objectId }, entity, right) =>
    assigned.some(
      (assignment) =>
        assignment.objectId === objectId &&
        assignment.rights.includes(right) &&
        (assignment.scope === undefined || isWithin(entity.toLowerCase(), assignment.scope)),
    );
}

/** A topic's role holds for its subscriptions. */
const isWithin = (entity: string, scope: string): boolean => entity === scope || entity.startsWith(`${scope}/`);

/** An id that is the same at every start. */
function idFrom(...parts: string[]): string {
  const hex = createHash('sha256').update(parts.join('\n')).digest('hex');
  // Version 8, of the author's own making, and the usual variant.
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function linesOf(issue: z.core.$ZodIssue): string[] {
  const path = issue.path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    '',
  );
  const inner = issue.code === 'invalid_union' ? issue.errors.flat().map(({ message }) => message) : [];
  const message = inner.length > 0 ? [...new Set(inner)].join(', or ') : issue.message;
  return [`${path === '' ? 'the description' : path}: ${message}`];
}
