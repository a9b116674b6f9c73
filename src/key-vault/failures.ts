import { AzureFailure, isAzureFailure } from '../azure-failure.ts';
import { innerCodeHeader, outerCodeHeader } from './error-codes.ts';
import { retryAfterHeader } from './retry-after.ts';

/** One call to a vault, as an operator reads about it. */
export interface Call {
  vault: string;
  /** In words: `import key "rsa-1-1700000000"`. */
  action: string;
  /** Key Vault's own word in access policies; the RBAC data action is derived from it. */
  permission: 'get' | 'list' | 'create' | 'import' | 'update' | 'delete' | 'recover' | 'wrapKey' | 'unwrapKey';
  /** Whether the call changes the vault, so that a lost reply leaves its outcome unknown. */
  changes: boolean;
}

const dataActions: Record<Call['permission'], string> = {
  get: 'keys/read',
  list: 'keys/read',
  create: 'keys/create/action',
  import: 'keys/import/action',
  update: 'keys/update/action',
  delete: 'keys/delete',
  recover: 'keys/recover/action',
  wrapKey: 'keys/wrap/action',
  unwrapKey: 'keys/unwrap/action',
};

/** No connection was made, so nothing can have happened. */
const neverConnected = new Set(['ECONNREFUSED', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** Something is concluded from these, so they have to come with the vault's own account of the error. */
const needsAccount = new Set([400, 403, 404, 409]);

/**
 * What an error of the Key Vault client means. Only status and codes decide, never texts.
 * @param error anything thrown by the client
 */
export function toFailure(error: unknown, call: Call): AzureFailure {
  if (isAzureFailure(error)) {
    return new AzureFailure(error.kind, `Key Vault "${call.vault}": ${error.message}`, { cause: error });
  }
  const { status, code, outerCode, innerCode, message, retryAfterSeconds } = read(error);
  const failed = (kind: AzureFailure['kind'], reason: string) =>
    new AzureFailure(kind, `Key Vault "${call.vault}" couldn't ${call.action}: ${reason}`, {
      cause: error,
      retryAfterSeconds,
    });

  // Proxies and gateways answer with any status; only the vault knows what it refuses and what it doesn't have.
  const isItsOwn = status === 404 ? outerCode === 'KeyNotFound' : outerCode !== undefined;
  if (status !== undefined && needsAccount.has(status) && !isItsOwn) {
    return failed(
      call.changes ? 'unknown-outcome' : 'unavailable',
      `it answered with status ${status}, and not in the way that Key Vault does`,
    );
  }
  switch (status) {
    case 400:
      return failed('refused', message);
    case 401:
      return failed('credentials', `it refused the token: ${message}`);
    case 403:
      if (innerCode === 'ForbiddenByFirewall' || innerCode === 'ForbiddenByConnection') {
        return failed('shut-out', `its network rules don't let this service in (${innerCode})`);
      }
      return failed(
        'forbidden',
        `the principal lacks the key permission "${call.permission}" ` +
          `(with RBAC the data action Microsoft.KeyVault/vaults/${dataActions[call.permission]})`,
      );
    case 404:
      return failed('absent', 'there is no such key');
    case 409:
      return failed('conflict', `the name is taken by an object that is ${conflictState(innerCode)}`);
    case 429:
      return failed('throttled', 'it is throttling requests');
    case undefined:
      if (code === 'ENOTFOUND')
        return failed('no-such-vault', 'no vault of this name exists (its DNS name is not known)');
      if (call.changes && !neverConnected.has(code ?? ''))
        return failed('unknown-outcome', `the reply was lost (${code ?? message})`);
      return failed('unavailable', `it can't be reached (${code ?? message})`);
  }
  return failed(call.changes ? 'unknown-outcome' : 'unavailable', `it answered with status ${status}`);
}

function conflictState(innerCode: string | undefined): string {
  switch (innerCode) {
    case 'ObjectIsDeletedButRecoverable':
      return 'deleted but recoverable';
    case 'ObjectIsBeingDeleted':
      return 'being deleted';
    case 'ObjectIsBeingRecovered':
      return 'being recovered';
    default:
      return 'in the way';
  }
}

interface ReadError {
  status: number | undefined;
  code: string | undefined;
  /** Of the vault's own account of the error. */
  outerCode: string | undefined;
  innerCode: string | undefined;
  message: string;
  retryAfterSeconds: number | undefined;
}

function read(error: unknown): ReadError {
  const shape = (error ?? {}) as {
    statusCode?: unknown;
    code?: unknown;
    message?: unknown;
    details?: { error?: { code?: unknown; innerError?: { code?: unknown } } };
    response?: { headers?: { get(name: string): string | undefined } };
  };
  const retryAfter = Number(shape.response?.headers?.get(retryAfterHeader)) / 1000;
  return {
    status: typeof shape.statusCode === 'number' ? shape.statusCode : undefined,
    code: text(shape.code),
    outerCode: text(shape.details?.error?.code) ?? shape.response?.headers?.get(outerCodeHeader),
    innerCode: text(shape.details?.error?.innerError?.code) ?? shape.response?.headers?.get(innerCodeHeader),
    message: text(shape.message) ?? 'no reason given',
    retryAfterSeconds: Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : undefined,
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
