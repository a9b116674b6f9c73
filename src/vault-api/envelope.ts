import type { BuiltinReply } from './builtin.ts';
import { jsonResponse, noContent, type VaultResponse } from './protocol.ts';

/** Puts a reply into Vault's envelope: 204 if there is nothing to say, else 200, or 404 where the reply says so. */
export function renderReply(reply: BuiltinReply, requestId: string, mountType: string): VaultResponse {
  if (reply.notFound === 'empty') return { ...noContent(), status: 404 };
  if (!hasContent(reply)) return noContent();
  const { data = null, warnings = [], auth = null, copyToTopLevel = false } = reply;
  return jsonResponse(reply.notFound === undefined ? 200 : 404, {
    // First, so that a path called `data` can't take the place of the envelope's own field.
    ...(copyToTopLevel ? data : undefined),
    request_id: requestId,
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data,
    wrap_info: null,
    warnings: warnings.length === 0 ? null : warnings,
    auth,
    mount_type: mountType,
  });
}

export function hasContent({ data, warnings = [], auth }: BuiltinReply): boolean {
  return data !== undefined || warnings.length > 0 || auth !== undefined;
}
