import {
  ClientSecretCredential,
  ManagedIdentityCredential,
  type AccessToken,
  type GetTokenOptions,
  type TokenCredential,
} from '@azure/identity';
import { AzureFailure } from '../azure-failure.ts';
import type { TargetSignIn } from './target-credentials.ts';

/**
 * The service's own identity: its state, its queue, its home vault.
 * @param clientId of the user-assigned identity; absent: the system-assigned one
 */
export function createServiceCredential(clientId: string | undefined): TokenCredential {
  return clientId === undefined ? new ManagedIdentityCredential() : new ManagedIdentityCredential({ clientId });
}

/**
 * The identity that a target vault sees. Its failures are {@link AzureFailure}s of kind `credentials` (Entra, or the
 * tenant check, refused) or `unavailable` (no answer).
 *
 * @param serviceClientId the managed identity to use where the sign-in names none
 */
export function createTargetCredential(signIn: TargetSignIn, serviceClientId: string | undefined): TokenCredential {
  const credential =
    signIn.kind === 'client-secret'
      ? new ClientSecretCredential(signIn.tenantId, signIn.clientId, signIn.clientSecret, {
          authorityHost: signIn.cloud.authorityHost,
          disableInstanceDiscovery: !signIn.cloud.isPublic,
        })
      : createServiceCredential(signIn.clientId ?? serviceClientId);
  return boundToTenant(credential, signIn.tenantId);
}

/**
 * A vault says in its challenge which tenant it trusts. A token is only asked for, and so only sent, if that is the
 * tenant the provider was configured with: a managed identity would otherwise sign in to any vault of that name.
 */
function boundToTenant(credential: TokenCredential, tenantId: string): TokenCredential {
  return {
    async getToken(scopes: string | string[], options?: GetTokenOptions): Promise<AccessToken | null> {
      const challenged = options?.tenantId;
      if (challenged !== undefined && challenged.toLowerCase() !== tenantId.toLowerCase()) {
        throw new AzureFailure(
          'credentials',
          `the vault belongs to tenant ${challenged}, but the provider's tenant_id is ${tenantId}`,
        );
      }
      try {
        return await credential.getToken(scopes, options);
      } catch (error) {
        throw toCredentialFailure(error);
      }
    },
  };
}

function toCredentialFailure(error: unknown): AzureFailure {
  const text = error instanceof Error ? error.message : String(error);
  const reason = entraReason(text) ?? firstLine(text);
  return isRefusal(error)
    ? new AzureFailure('credentials', `Entra refused the credentials: ${reason}`, { cause: error })
    : new AzureFailure('unavailable', `no token could be had: ${reason}`, { cause: error });
}

/** Entra answers refusals with 400 or 401; the identity endpoint reports an unknown identity as unavailable. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const status = (error as { statusCode?: unknown }).statusCode;
  if (typeof status === 'number') return status === 400 || status === 401;
  return /AADSTS\d+/.test(error.message) || error.name === 'CredentialUnavailableError';
}

/** Entra's own words in the middle of its client's: `AADSTS7000215: Invalid client secret provided. ...` */
function entraReason(text: string): string | undefined {
  const [reason] = /AADSTS\d+:.*?(?=\s+Trace ID:|[\r\n]|$)/.exec(text) ?? [];
  return reason;
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? '';
}
