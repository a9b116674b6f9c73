import type { Token } from '../state/tokens.ts';
import type { AuthReply } from './builtin.ts';

/** A token as `lookup-self` shows it. */
export function tokenView(token: string, record: Token, at: Date): Record<string, unknown> {
  return {
    accessor: record.accessor,
    creation_time: Math.floor(record.createdTime.getTime() / 1000),
    creation_ttl: record.creationTtlSeconds,
    display_name: record.displayName,
    entity_id: '',
    expire_time: record.expireTime?.toISOString() ?? null,
    explicit_max_ttl: 0,
    id: token,
    issue_time: record.createdTime.toISOString(),
    meta: record.meta,
    num_uses: 0,
    orphan: record.orphan,
    path: record.path,
    policies: record.policies,
    renewable: record.renewable,
    ttl: secondsLeft(record, at),
    type: 'service',
  };
}

/** The `auth` of a reply that hands a token out. */
export function authOf(token: string, record: Token, at: Date): AuthReply {
  return {
    client_token: token,
    accessor: record.accessor,
    policies: record.policies,
    token_policies: record.policies,
    identity_policies: null,
    metadata: record.meta,
    lease_duration: secondsLeft(record, at),
    renewable: record.renewable,
    entity_id: '',
    token_type: 'service',
    orphan: record.orphan,
    mfa_requirement: null,
    num_uses: 0,
  };
}

/** Zero for a token that never expires. */
function secondsLeft({ expireTime }: Token, at: Date): number {
  return expireTime === undefined ? 0 : Math.max(0, Math.floor((expireTime.getTime() - at.getTime()) / 1000));
}
