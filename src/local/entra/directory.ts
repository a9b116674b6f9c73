import { EntraError } from './entra-error.ts';
import type { Application, ManagedIdentity, Resource } from './types.ts';

/** Who and what the tenants know. Applications can change while the stand-in runs. */
export interface Directory {
  /** @throws EntraError unless the tenant exists */
  requireTenant(tenantId: string): void;
  hasTenant(tenantId: string): boolean;
  /** @throws EntraError */
  requireApplication(tenantId: string, clientId: string): Application;
  /** @throws EntraError. A final slash makes no difference, as `https://servicebus.azure.net/` is asked for too. */
  requireResource(tenantId: string, identifier: string): Resource;
  /** @returns the identity that `identityHeader`'s app means; without an id, its system-assigned one. */
  findIdentity(identityHeader: string, id: IdentityId): ManagedIdentity | undefined;
  knowsIdentityHeader(identityHeader: string): boolean;
  appRoles(clientId: string, audience: string): readonly string[];
  /** Adds an application, or replaces the one with its client id. */
  putApplication: (application: Application) => void;
  removeApplication: (clientId: string) => void;
}

export interface IdentityId {
  clientId?: string | undefined;
  objectId?: string | undefined;
  resourceId?: string | undefined;
}

/** Azure services whose tokens work in every cloud; vaults' resources depend on the cloud and are passed in. */
const azureResources: readonly Resource[] = ['https://storage.azure.com', 'https://servicebus.azure.net'].map(
  (audience) => ({ audience, tokenVersion: 1 }),
);

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function createDirectory(options: {
  tenants: readonly string[];
  applications: readonly Application[];
  managedIdentities: readonly ManagedIdentity[];
  resources: readonly Resource[];
}): Directory {
  const { managedIdentities } = options;
  const tenants = new Set(options.tenants.map((tenantId) => tenantId.toLowerCase()));
  const applications = new Map(options.applications.map((application) => [application.clientId, application]));
  const resources = new Map(
    [...azureResources, ...options.resources].map((resource) => [withoutFinalSlash(resource.audience), resource]),
  );

  return {
    hasTenant: (tenantId) => tenants.has(tenantId.toLowerCase()),
    requireTenant(tenantId) {
      if (tenants.has(tenantId.toLowerCase())) return;
      if (!guid.test(tenantId) && !tenantId.includes('.')) {
        throw new EntraError(900023, `Specified tenant identifier '${tenantId}' is neither a GUID nor a domain name.`);
      }
      throw new EntraError(90002, `Tenant '${tenantId}' not found. Check the tenant ID and the cloud.`);
    },
    requireApplication(tenantId, clientId) {
      const application = applications.get(clientId);
      if (application?.tenantId.toLowerCase() === tenantId.toLowerCase()) return application;
      throw new EntraError(
        700016,
        `Application with identifier '${clientId}' was not found in the directory '${tenantId}'.`,
      );
    },
    requireResource(tenantId, identifier) {
      const resource = resources.get(withoutFinalSlash(identifier));
      if (resource) return resource;
      throw new EntraError(500011, `The resource principal named ${identifier} was not found in tenant ${tenantId}.`);
    },
    findIdentity(identityHeader, id) {
      const assigned = managedIdentities.filter((identity) => identity.identityHeader === identityHeader);
      if (id.clientId) return assigned.find((identity) => identity.clientId === id.clientId);
      if (id.objectId) return assigned.find((identity) => identity.objectId === id.objectId);
      if (id.resourceId) return assigned.find((identity) => sameResource(identity.resourceId, id.resourceId));
      return assigned.find((identity) => identity.kind === 'system-assigned');
    },
    knowsIdentityHeader: (identityHeader) =>
      managedIdentities.some((identity) => identity.identityHeader === identityHeader),
    appRoles(clientId, audience) {
      const holder = applications.get(clientId) ?? managedIdentities.find((identity) => identity.clientId === clientId);
      return holder?.appRoles?.[withoutFinalSlash(audience)] ?? [];
    },
    putApplication: (application) => void applications.set(application.clientId, application),
    removeApplication: (clientId) => void applications.delete(clientId),
  };
}

/** Vault resources are asked for with and without a final slash; tokens carry the form that was asked for. */
export function withoutFinalSlash(identifier: string): string {
  return identifier.replace(/\/$/, '');
}

function sameResource(left: string | undefined, right: string | undefined): boolean {
  return left?.toLowerCase() === right?.toLowerCase();
}
