import { KeyfleetError } from '../errors.ts';
import { jsonResponse, type VaultResponse } from './protocol.ts';

/** The shape in which Vault prints errors that come without a response of their own. */
function multierror(...messages: string[]): string {
  const heading = messages.length === 1 ? '1 error occurred:' : `${messages.length} errors occurred:`;
  return `${heading}\n${messages.map((message) => `\t* ${message}\n`).join('')}\n`;
}

/** 404 `{"errors":[]}`: clients read it as "there is nothing". */
export function nothingThere(): KeyfleetError {
  return new KeyfleetError('not_found', '');
}

export function unknownMount(path: string): KeyfleetError {
  return new KeyfleetError('unknown_mount', `no handler for route "${path}". route entry not found.`);
}

export function unsupportedPath(): KeyfleetError {
  return new KeyfleetError('unsupported_path', multierror('unsupported path'));
}

export function unsupportedOperation(): KeyfleetError {
  return new KeyfleetError('unsupported_operation', multierror('unsupported operation'));
}

/** 405 `{"errors":[]}`: the verb itself is unknown here. */
export function unsupportedVerb(): KeyfleetError {
  return new KeyfleetError('unsupported_operation', '');
}

export function missingToken(): KeyfleetError {
  return new KeyfleetError('permission_denied', 'permission denied');
}

/** Unknown, revoked and expired tokens look alike. */
export function invalidToken(): KeyfleetError {
  return new KeyfleetError('invalid_token', multierror('permission denied', 'invalid token'));
}

export function deniedByPolicy(): KeyfleetError {
  return new KeyfleetError('permission_denied', multierror('permission denied'));
}

export function invalidRequest(message: string): KeyfleetError {
  return new KeyfleetError('invalid_request', message);
}

/** Renders anything thrown. Only the message of a KeyfleetError reaches the caller. */
export function renderError(error: unknown): VaultResponse {
  if (!(error instanceof KeyfleetError)) return jsonResponse(500, { errors: [multierror('internal error')] });
  const message = error.code === 'internal' ? multierror(error.message || 'internal error') : error.message;
  return jsonResponse(error.status, { errors: message === '' ? [] : [message] });
}

/**
 * The answer to everything while the service can't start. A missing answer would be a 404, which clients take for
 * "no such secret".
 * @param reason shown to the caller
 */
export function renderUnavailable(reason: string): VaultResponse {
  return renderError(new KeyfleetError('unavailable', reason));
}
