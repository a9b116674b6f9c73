import { KeyfleetError } from '../errors.ts';
import { invalidRequest } from './errors.ts';
import type { VaultRequest } from './protocol.ts';

type Headers = VaultRequest['headers'];

/**
 * @returns the token of `X-Vault-Token`, else of `Authorization: Bearer `
 * @throws KeyfleetError `invalid_request` if the header was sent twice: the host joins the values with commas
 */
export function readToken(headers: Headers): string | undefined {
  const token = single(headers, 'X-Vault-Token');
  if (token !== undefined) return token;
  const authorization = headers.get('Authorization') ?? '';
  if (!authorization.startsWith('Bearer ')) return undefined;
  if (authorization.includes(',')) throw sentTwice('Authorization');
  return authorization.slice('Bearer '.length).trim() || undefined;
}

/** There is one namespace, the root, as in Vault's community edition. */
export function checkNamespace(headers: Headers): void {
  const namespace = single(headers, 'X-Vault-Namespace') ?? '';
  if (!['', '/', 'root', 'root/'].includes(namespace)) throw new KeyfleetError('not_found', 'namespace not found');
}

/**
 * No client asks for a wrapped reply unless its user does (`-wrap-ttl`, `VAULT_WRAP_TTL`). Ignoring the wish would hand
 * a secret to whoever was to be given only its wrapping.
 */
export function refuseWrapping(headers: Headers): void {
  const ttl = (headers.get('X-Vault-Wrap-TTL') ?? '').trim();
  if (!/^(0+[a-z]*)?$/.test(ttl)) throw invalidRequest('response wrapping (X-Vault-Wrap-TTL) is not supported');
}

/** @returns whether the client would rather be answered early (`Prefer: respond-async`, RFC 7240). */
export function prefersAsync(headers: Headers): boolean {
  return (headers.get('Prefer') ?? '')
    .split(',')
    .some((preference) => preference.split(';')[0]?.trim().toLowerCase() === 'respond-async');
}

function single(headers: Headers, name: string): string | undefined {
  const value = headers.get(name)?.trim() ?? '';
  if (value.includes(',')) throw sentTwice(name);
  return value === '' ? undefined : value;
}

function sentTwice(name: string): KeyfleetError {
  return invalidRequest(`header ${name} was sent more than once`);
}
