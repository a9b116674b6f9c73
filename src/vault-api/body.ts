import { KeyfleetError } from '../errors.ts';
import { invalidRequest } from './errors.ts';
import type { RawFields } from './field-types.ts';
import { parseJsonFields } from './json.ts';
import type { VaultRequest } from './protocol.ts';

const mergePatch = 'application/merge-patch+json';

/**
 * Reads the fields of a write or patch. The type of a write is a guess at best: the Go client sends none, curl and
 * node-vault send that of forms with JSON or nothing at all.
 * @throws KeyfleetError 400, 411, 413 or 415
 */
export function readBodyFields(
  request: Pick<VaultRequest, 'headers' | 'body'>,
  operation: 'write' | 'patch',
  maxBodyBytes: number,
): RawFields {
  const type = mediaType(request.headers.get('Content-Type'));
  if (operation === 'patch') requireMergePatch(type);
  const body = readBody(request, maxBodyBytes);
  return operation === 'write' && isForm(type, body) ? parseForm(body) : parseJsonFields(body);
}

/** The host loses chunked bodies; taking what is left for "no fields" would be a different request. */
function readBody({ headers, body }: Pick<VaultRequest, 'headers' | 'body'>, maxBodyBytes: number): Buffer {
  if (headers.get('Transfer-Encoding') !== null) {
    throw new KeyfleetError('length_required', 'chunked bodies are not supported: send Content-Length');
  }
  const announced = headers.get('Content-Length');
  const announcedBytes = announced === null ? undefined : Number(announced);
  if (Number.isNaN(announcedBytes)) throw invalidRequest('Content-Length is not a number');
  const bytes = Math.max(announcedBytes ?? 0, body?.length ?? 0);
  if (bytes > maxBodyBytes) {
    throw new KeyfleetError('body_too_large', `request body is larger than ${maxBodyBytes} bytes`);
  }
  if (bytes > 0 && body === null) throw invalidRequest('request body was lost on the way: send it again');
  return body ?? Buffer.alloc(0);
}

function requireMergePatch(type: string): void {
  if (type === '') throw invalidRequest(`PATCH requires Content-Type of ${mergePatch}`);
  if (type === mergePatch) return;
  throw new KeyfleetError('unsupported_media_type', `PATCH requires Content-Type of ${mergePatch}, provided ${type}`);
}

function mediaType(contentType: string | null): string {
  return (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

function isForm(type: string, body: Buffer): boolean {
  if (type !== 'application/x-www-form-urlencoded') return false;
  const start = body.toString('latin1', 0, 512).trimStart();
  return start !== '' && !start.startsWith('{') && !start.startsWith('[');
}

function parseForm(body: Buffer): RawFields {
  const fields = new Map<string, string | string[]>();
  for (const [name, value] of new URLSearchParams(body.toString('utf8'))) {
    const earlier = fields.get(name);
    fields.set(name, earlier === undefined ? value : [earlier, value].flat());
  }
  return fields;
}
