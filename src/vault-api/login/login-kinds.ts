import type { LoginRole } from '../../state/login-roles.ts';
import { invalidRequest } from '../errors.ts';
import type { FieldSchema, FieldType, FieldTypes } from '../field-types.ts';

/** Fields of a role, converted. */
export type RoleFields = Readonly<Record<string, FieldTypes[FieldType] | undefined>>;

/** What one of Vault's auth methods calls the things that both do. */
export interface LoginKind {
  description: string;
  /** Of a role, beside those that every auth method has. */
  fields: FieldSchema;
  /** Of a role: what there is no counterpart for. Clients may send them empty. */
  unsupported: readonly string[];
  /** Whether roles must name the audience once more. */
  bindsAudiences: boolean;
  /** @returns what of the role the fields change */
  read(fields: RoleFields, role: LoginRole): Pick<LoginRole, 'boundAudiences' | 'boundClaims'>;
  /** @returns the fields by which the role shows what it is bound to */
  show(role: LoginRole): Record<string, unknown>;
}

/** Claims that a role may be bound to: those that identity providers vouch for, and that don't change on a whim. */
const boundClaimNames = ['azp', 'groups', 'idtyp', 'oid', 'roles', 'sub', 'tid'];

const jwt: LoginKind = {
  description: 'access tokens of the identity provider',
  bindsAudiences: true,
  fields: {
    role_type: { type: 'string', description: 'Only jwt.' },
    user_claim: { type: 'string', description: 'Ignored: callers are told apart by their object id.' },
    bound_audiences: { type: 'list', description: 'Must hold the audience of the tokens.' },
    bound_subject: { type: 'string', description: 'The claim sub must be this.' },
    bound_claims: {
      type: 'map',
      description:
        'Claim -> value or values of which the token must have one: azp, groups, idtyp, oid, roles, sub, tid.',
    },
    bound_claims_type: { type: 'string', description: 'Only string.' },
  },
  unsupported: ['allowed_redirect_uris', 'claim_mappings', 'groups_claim', 'oidc_scopes'],
  read(fields, role) {
    expectOnly('role_type', fields.role_type, ['', 'jwt']);
    expectOnly('bound_claims_type', fields.bound_claims_type, ['', 'string']);
    const { sub: earlierSubject, ...earlierClaims } = role.boundClaims;
    const { bound_subject, bound_claims, bound_audiences } = fields as {
      bound_subject?: string;
      bound_claims?: Record<string, unknown>;
      bound_audiences?: string[];
    };
    const subject = bound_subject === undefined ? earlierSubject : bound_subject === '' ? undefined : [bound_subject];
    const claims = bound_claims === undefined ? earlierClaims : readBoundClaims(bound_claims);
    return {
      boundAudiences: bound_audiences ?? role.boundAudiences,
      boundClaims: { ...(subject && { sub: subject }), ...claims },
    };
  },
  show({ boundAudiences, boundClaims: { sub = [], ...claims } }) {
    return {
      role_type: 'jwt',
      bound_audiences: boundAudiences,
      bound_subject: sub[0] ?? '',
      bound_claims: Object.keys(claims).length === 0 ? null : claims,
      bound_claims_type: 'string',
    };
  },
};

const azure: LoginKind = {
  description: 'access tokens of Azure identities',
  bindsAudiences: false,
  fields: {
    bound_service_principal_ids: { type: 'list', description: 'Object ids of the identities that may sign in.' },
    bound_group_ids: { type: 'list', description: 'Object ids of groups; the token must name one of them.' },
  },
  unsupported: ['bound_locations', 'bound_resource_groups', 'bound_scale_sets', 'bound_subscription_ids'],
  read(fields, role) {
    const { bound_service_principal_ids: principals, bound_group_ids: groups } = fields as Record<
      string,
      string[] | undefined
    >;
    const bound = {
      oid: principals ?? role.boundClaims.oid ?? [],
      groups: groups ?? role.boundClaims.groups ?? [],
    };
    const named = Object.entries(bound).filter(([, values]) => values.length > 0);
    return { boundAudiences: [], boundClaims: Object.fromEntries(named) };
  },
  show: ({ boundClaims: { oid = [], groups = [] } }) => ({
    bound_service_principal_ids: oid,
    bound_group_ids: groups,
  }),
};

export const loginKinds = { jwt, azure } as const satisfies Record<string, LoginKind>;

export type LoginKindName = keyof typeof loginKinds;

function readBoundClaims(sent: Readonly<Record<string, unknown>>): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(sent).map(([name, value]) => {
      if (!boundClaimNames.includes(name)) {
        throw invalidRequest(`bound_claims can name ${boundClaimNames.join(', ')}, not "${name}"`);
      }
      const values = [value].flat();
      if (values.length === 0 || !values.every((item) => typeof item === 'string' && item !== '')) {
        throw invalidRequest(`bound_claims: "${name}" needs a text or a list of texts`);
      }
      return [name, values as string[]];
    }),
  );
}

function expectOnly(name: string, value: unknown, accepted: readonly string[]): void {
  if (value !== undefined && !accepted.includes(value as string)) {
    throw invalidRequest(`${name} can only be "${accepted.at(-1) ?? ''}"`);
  }
}
