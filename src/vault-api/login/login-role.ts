import type { LoginRole } from '../../state/login-roles.ts';
import { invalidRequest } from '../errors.ts';
import type { FieldSchema, FieldValues } from '../field-types.ts';
import { maximumTokenTtlSeconds } from '../token-create.ts';
import type { LoginKind, RoleFields } from './login-kinds.ts';

const notSupported = 'Not supported.';

/** Fields of roles that every auth method has. */
const commonFields = {
  token_policies: { type: 'list', description: 'Policies of the tokens.' },
  policies: { type: 'list', description: 'The same under its older name.' },
  token_ttl: { type: 'duration', description: 'Time to live of the tokens; an hour by default.' },
  ttl: { type: 'duration', description: 'The same under its older name.' },
  token_max_ttl: { type: 'duration', description: 'How long renewals can make the tokens live.' },
  max_ttl: { type: 'duration', description: 'The same under its older name.' },
  token_no_default_policy: { type: 'boolean', description: 'Leaves out the policy "default".' },
  token_type: { type: 'string', description: 'Only service tokens exist.' },
  token_bound_cidrs: { type: 'list', description: notSupported },
  token_explicit_max_ttl: { type: 'duration', description: notSupported },
  token_num_uses: { type: 'integer', description: notSupported },
  token_period: { type: 'duration', description: notSupported },
} as const satisfies FieldSchema;

const unsupportedCommon = ['token_bound_cidrs', 'token_explicit_max_ttl', 'token_num_uses', 'token_period'];

const newRole: LoginRole = {
  boundAudiences: [],
  boundClaims: {},
  policies: [],
  noDefaultPolicy: false,
  ttlSeconds: 0,
  maxTtlSeconds: 0,
};

export function roleSchema({ fields, unsupported }: LoginKind): FieldSchema {
  const refused = unsupported.map((name) => [name, { type: 'list', description: notSupported }] as const);
  return { ...commonFields, ...fields, ...Object.fromEntries(refused) };
}

/**
 * Applies what was sent to a role; what wasn't sent stays.
 * @param earlier the role as it was, if there was one
 * @throws KeyfleetError `invalid_request` for what wouldn't be enforced, and for a role that would let everybody in
 */
export function readRole(kind: LoginKind, sent: RoleFields, earlier: LoginRole = newRole): LoginRole {
  for (const name of [...unsupportedCommon, ...kind.unsupported]) {
    if (!isEmpty(sent[name])) throw invalidRequest(`${name} is not supported`);
  }
  const fields = sent as FieldValues<typeof commonFields>;
  if (!['', 'default', 'default-service', 'service'].includes(fields.token_type ?? '')) {
    throw invalidRequest('only service tokens are supported');
  }
  const policies = fields.token_policies ?? fields.policies;
  const role: LoginRole = {
    ...kind.read(sent, earlier),
    policies: policies === undefined ? earlier.policies : policiesOf(policies),
    noDefaultPolicy: fields.token_no_default_policy ?? earlier.noDefaultPolicy,
    ttlSeconds: fields.token_ttl ?? fields.ttl ?? earlier.ttlSeconds,
    maxTtlSeconds: fields.token_max_ttl ?? fields.max_ttl ?? earlier.maxTtlSeconds,
  };
  if (Object.keys(role.boundClaims).length === 0) {
    throw invalidRequest('must have at least one bound constraint when creating/updating role');
  }
  if (role.ttlSeconds > (role.maxTtlSeconds || maximumTokenTtlSeconds)) {
    throw invalidRequest('ttl should not be greater than max ttl');
  }
  return role;
}

export function showRole(kind: LoginKind, role: LoginRole): Record<string, unknown> {
  return {
    ...kind.show(role),
    policies: role.policies,
    token_policies: role.policies,
    ttl: role.ttlSeconds,
    token_ttl: role.ttlSeconds,
    max_ttl: role.maxTtlSeconds,
    token_max_ttl: role.maxTtlSeconds,
    token_no_default_policy: role.noDefaultPolicy,
    token_type: 'default',
  };
}

function policiesOf(sent: readonly string[]): string[] {
  const policies = [...new Set(sent.map((name) => name.toLowerCase()).filter((name) => name !== ''))].toSorted();
  if (policies.includes('root')) throw invalidRequest('a role cannot give out the policy "root"');
  return policies;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === 0 || value === '' || (Array.isArray(value) && value.length === 0);
}
