import type { Principal } from '../principals.ts';

/** A registered application with its service principal. Application and principal share their tenant. */
export interface Application extends Principal {
  secrets?: readonly ClientSecret[];
  federatedCredentials?: readonly FederatedCredential[];
  /** App roles granted to it: audience as the API names itself -> role values. */
  appRoles?: Readonly<Record<string, readonly string[]>>;
}

export interface ClientSecret {
  value: string;
  /** Absent: never. */
  expiresAt?: Date;
}

/** Trust in another issuer's tokens. All three are compared exactly, letter case included. */
export interface FederatedCredential {
  /** Its OpenID configuration is read from `<issuer>/.well-known/openid-configuration`. */
  issuer: string;
  subject: string;
  /** Azure suggests `api://AzureADTokenExchange`. */
  audience: string;
}

export interface ManagedIdentity extends Principal {
  kind: 'system-assigned' | 'user-assigned';
  /** The secret (IDENTITY_HEADER) of the app that this identity is assigned to. */
  identityHeader: string;
  /** ARM id of a user-assigned identity. */
  resourceId?: string;
  appRoles?: Readonly<Record<string, readonly string[]>>;
}

/** Something that tokens are issued for. */
export interface Resource {
  /** Application ID URI, or for an API of one's own its client id, e.g. `https://vault.localhost`. */
  audience: string;
  /** What the resource takes: Azure's own services take version 1. */
  tokenVersion: 1 | 2;
}
