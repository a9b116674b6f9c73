import { invalidRequest } from '../errors.ts';
import type { FieldSchema } from '../field-types.ts';

/** Settings of a mount that Keyfleet keeps, as they come in `config` when it is enabled and at top level when tuned. */
export const configFields = {
  default_lease_ttl: { type: 'string', description: 'Kept and shown; nothing here has a lease.' },
  max_lease_ttl: { type: 'string', description: 'Kept and shown; nothing here has a lease.' },
  force_no_cache: { type: 'boolean', description: 'Kept and shown; nothing here is cached.' },
} as const satisfies FieldSchema;

/** Settings of Vault's that have no counterpart here, with the value that means "not set" besides an empty one. */
const unsupportedSettings: Readonly<Record<string, string>> = {
  allowed_managed_keys: '',
  allowed_response_headers: '',
  audit_non_hmac_request_keys: '',
  audit_non_hmac_response_keys: '',
  delegated_auth_accessors: '',
  identity_token_key: 'default',
  listing_visibility: 'hidden',
  passthrough_request_headers: '',
  plugin_version: '',
};

/** Clients send these empty by default. One that is set would have to have an effect, so it is refused, not dropped. */
export function refuseUnsupportedSettings(sent: ReadonlyMap<string, unknown>): void {
  for (const [name, neutral] of Object.entries(unsupportedSettings)) {
    const value = sent.get(name);
    if (!isEmpty(value) && value !== neutral) throw invalidRequest(`${name} is not supported`);
  }
}

function isEmpty(value: unknown): boolean {
  return value == null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);
}
