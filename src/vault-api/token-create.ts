import { randomBytes } from 'node:crypto';
import type { Token } from '../state/tokens.ts';
import type { Session } from './authentication.ts';
import { invalidRequest } from './errors.ts';
import type { FieldSchema, FieldValues } from './field-types.ts';

/** 32 days: no token that expires lives longer. */
export const maximumTokenTtlSeconds = 2_764_800;

export const tokenCreateFields = {
  policies: { type: 'list', description: 'Policies of the new token; those of the calling token by default.' },
  no_default_policy: { type: 'boolean', description: 'Leaves out the policy "default".' },
  ttl: { type: 'duration', description: 'Time to live.' },
  explicit_max_ttl: { type: 'duration', description: 'Upper limit of the time to live.' },
  display_name: { type: 'string', description: 'Name for people.' },
  meta: { type: 'pairs', description: 'Metadata shown when the token is looked up.' },
  renewable: { type: 'boolean', description: 'Whether the token can be given more time.' },
  no_parent: { type: 'boolean', description: 'Needs root or sudo, though every token stands alone.' },
  type: { type: 'string', description: 'Only service tokens exist.' },
  num_uses: { type: 'integer', description: 'Not supported.' },
  period: { type: 'duration', description: 'Not supported.' },
  entity_alias: { type: 'string', description: 'Not supported.' },
  id: { type: 'string', description: 'Not supported.' },
} as const satisfies FieldSchema;

type TokenCreateValues = FieldValues<typeof tokenCreateFields>;

/** 192 random bits, in the form of Vault's service tokens. */
export function newToken(): string {
  return `hvs.${randomBytes(24).toString('base64url')}`;
}

type Maker = Pick<Session, 'record' | 'acl'>;

const createPath = 'auth/token/create';
const maximumPolicies = 100;

/**
 * Makes the record of a token that another one asks for. Nothing links the two, so the new one says of itself that it
 * is an orphan: revoking its maker leaves it alive. It never outlives the time its maker was given, though, and may
 * never do more: only `sudo` on this very path gives out policies that the maker lacks, and only `root` gives `root`.
 * @throws KeyfleetError `invalid_request` for what can't be promised
 */
export function makeToken(fields: TokenCreateValues, { record: maker, acl }: Maker, accessor: string, at: Date): Token {
  refuseUnsupported(fields);
  const isSudo = acl.isSudo('update', createPath);
  if (fields.no_parent === true && !isSudo) {
    throw invalidRequest('root or sudo privileges required to create orphan token');
  }
  const policies = policiesOf(fields, maker, isSudo);
  const ttlSeconds = ttlOf(fields, policies, maker, at);
  const name = (fields.display_name ?? '').replace(/[^a-zA-Z0-9-]/g, '-').slice(0, 128);
  return {
    accessor,
    displayName: name === '' ? 'token' : `token-${name}`,
    policies,
    path: createPath,
    orphan: true,
    renewable: ttlSeconds > 0 && (fields.renewable ?? true),
    meta: fields.meta ?? null,
    createdTime: at,
    creationTtlSeconds: ttlSeconds,
    ...(ttlSeconds === 0 ? {} : { expireTime: new Date(at.getTime() + ttlSeconds * 1000) }),
  };
}

function refuseUnsupported(fields: TokenCreateValues): void {
  if (!['', 'default', 'service'].includes(fields.type ?? ''))
    throw invalidRequest('only service tokens are supported');
  for (const name of ['num_uses', 'period', 'entity_alias', 'id'] as const) {
    if (fields[name]) throw invalidRequest(`${name} is not supported`);
  }
  if (fields.explicit_max_ttl && fields.renewable !== false) {
    throw invalidRequest('explicit_max_ttl is supported with renewable=false only');
  }
}

function policiesOf(fields: TokenCreateValues, maker: Token, isSudo: boolean): string[] {
  const asked = fields.policies?.map((name) => name.toLowerCase()).filter((name) => name !== '') ?? [];
  if (asked.length > maximumPolicies) throw invalidRequest(`a token can have at most ${maximumPolicies} policies`);
  if (asked.length === 0) return [...maker.policies];
  const isSubset = asked.every((name) => maker.policies.includes(name));
  if (!isSudo && !isSubset) throw invalidRequest('child policies must be subset of parent');
  if (asked.includes('root') && !maker.policies.includes('root')) {
    throw invalidRequest('root tokens may not be created without parent token being root');
  }
  // A maker without the default policy can't hand it out either.
  const getsDefault = !asked.includes('root') && fields.no_default_policy !== true;
  const withDefault = getsDefault && (isSudo || maker.policies.includes('default')) ? ['default', ...asked] : asked;
  return [...new Set(withDefault)].toSorted();
}

/** @returns 0 for a token that never expires, which only a token that never expires can make, and only for root. */
function ttlOf(fields: TokenCreateValues, policies: readonly string[], maker: Token, at: Date): number {
  const { ttl = 0, explicit_max_ttl = 0 } = fields;
  if (ttl === 0 && explicit_max_ttl === 0 && policies.includes('root') && maker.expireTime === undefined) return 0;
  const left = maker.expireTime === undefined ? Infinity : (maker.expireTime.getTime() - at.getTime()) / 1000;
  // Never zero, which would be for ever.
  return Math.max(1, Math.ceil(Math.min(ttl || Infinity, explicit_max_ttl || Infinity, maximumTokenTtlSeconds, left)));
}
