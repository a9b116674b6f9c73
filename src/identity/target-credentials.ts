import { KeyfleetError } from '../errors.ts';
import { defaultCloudName, type Cloud, type Clouds } from './clouds.ts';

/** What a KMS provider's `credentials` may hold, by Vault's names. */
export const credentialFields = ['tenant_id', 'client_id', 'client_secret', 'environment'] as const;
export type CredentialField = (typeof credentialFields)[number];
export type GivenCredentials = Partial<Record<CredentialField, string>>;

const environmentVariables: Record<CredentialField, string> = {
  tenant_id: 'AZURE_TENANT_ID',
  client_id: 'AZURE_CLIENT_ID',
  client_secret: 'AZURE_CLIENT_SECRET',
  environment: 'AZURE_ENVIRONMENT',
};

/** How the service signs in to reach one target vault. */
export type TargetSignIn = { tenantId: string; cloud: Cloud } & (
  | { kind: 'client-secret'; clientId: string; clientSecret: string }
  /** `clientId` names a user-assigned identity; without one it is the service's own. */
  | { kind: 'managed-identity'; clientId?: string }
);

/**
 * Applies Vault's order of precedence to each field by itself: environment variable, then the provider's credentials.
 * Without both client id and client secret the managed identity signs in; the tenant must be given all the same.
 *
 * @throws KeyfleetError `invalid_request`: unknown key, no tenant anywhere, unknown cloud
 */
export function resolveTargetSignIn(
  given: Record<string, string>,
  environment: Record<string, string | undefined>,
  clouds: Clouds,
): TargetSignIn {
  const unknown = Object.keys(given).filter((name) => !isCredentialField(name));
  if (unknown.length > 0) {
    throw new KeyfleetError(
      'invalid_request',
      `credentials has unknown keys [${unknown.join(' ')}]: azurekeyvault takes ${credentialFields.join(', ')}`,
    );
  }
  const value = (field: CredentialField) =>
    nonEmpty(environment[environmentVariables[field]]) ?? nonEmpty(given[field]);

  const tenantId = value('tenant_id');
  if (tenantId === undefined) {
    throw new KeyfleetError(
      'invalid_request',
      'credentials needs tenant_id: give it with the provider or set AZURE_TENANT_ID (a managed identity needs it too)',
    );
  }
  const cloudName = value('environment') ?? defaultCloudName;
  const cloud = clouds.find(cloudName);
  if (cloud === undefined) {
    throw new KeyfleetError(
      'invalid_request',
      `credentials has unknown environment ${JSON.stringify(cloudName)}: use one of ${clouds.names.join(', ')}`,
    );
  }
  const clientId = value('client_id');
  const clientSecret = value('client_secret');
  if (clientId !== undefined && clientSecret !== undefined) {
    return { kind: 'client-secret', tenantId, cloud, clientId, clientSecret };
  }
  return { kind: 'managed-identity', tenantId, cloud, ...(clientId !== undefined && { clientId }) };
}

function isCredentialField(name: string): name is CredentialField {
  return (credentialFields as readonly string[]).includes(name);
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}
