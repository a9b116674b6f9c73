import { KeyfleetError } from '../errors.ts';
import type {
  DistributionRecord,
  DistributionReference,
  DistributionState,
  KeyState,
  Stored,
} from '../state/key-records.ts';
import type { ProviderRecord } from '../state/providers.ts';
import type { Change, Decision } from './decision.ts';
import { parseProtection, parsePurposes, type KeyType } from './key-types.ts';

/*
 * What requests about distributions come to. Nothing is read or written here: a request and its dry run decide by the
 * same rules.
 */

export interface DistributionFields {
  purpose: readonly string[];
  protection: string;
}

export interface DistributionDecision extends Decision {
  state: KeyState;
  provider: Stored<ProviderRecord>;
  /** Set if the key is distributed there already, with what is to be written to have the vault try again. */
  existing: (DistributionState & { again: Stored<DistributionRecord> | undefined }) | undefined;
  /** The distribution to add if there is none, all but its name in the vault and its time. */
  draft: Omit<DistributionRecord, 'kmsName' | 'distributedTime'>;
}

export interface RemovalDecision extends Decision {
  existing: DistributionState;
  /** The distribution as it is to be. */
  next: Stored<DistributionRecord>;
}

/** Key Vault takes 127 characters; a hyphen and the seconds take 11. */
const longestName = 116;

/** @throws KeyfleetError `invalid_request`, `conflict` */
export function decideDistribution(
  reference: DistributionReference,
  { state, provider }: { state: KeyState | undefined; provider: Stored<ProviderRecord> | undefined },
  fields: DistributionFields,
): DistributionDecision {
  if (state === undefined) {
    throw new KeyfleetError(
      'invalid_request',
      `there is no key "${reference.key}": create it first (write key/${reference.key})`,
    );
  }
  const purpose = parsePurposes(fields.purpose, state.key.type as KeyType);
  const protection = parseProtection(fields.protection);
  checkName(reference.key);
  const existing = findDistribution(state, reference);
  if (existing !== undefined) checkSame(reference, existing.distribution, purpose, protection);
  if (provider === undefined) {
    throw new KeyfleetError(
      'invalid_request',
      `there is no provider "${reference.provider}": create it first (write kms/${reference.provider})`,
    );
  }
  const created = {
    path: distributionPath(reference),
    action: 'create',
    description:
      `distribute key "${reference.key}" to provider "${reference.provider}" ` +
      `with purpose ${purpose.join(',')} and protection ${protection}`,
  } as const;
  return {
    state,
    provider,
    existing: existing && { ...existing, again: tryAgain(existing.distribution) },
    draft: { provider: reference.provider, purpose, protection, removing: false },
    changes: existing === undefined ? [created] : [...retryChanges(state, existing), ...mendChanges(state, existing)],
  };
}

/** @returns undefined if the key isn't distributed there */
export function decideRemoval(
  reference: DistributionReference,
  state: KeyState | undefined,
): RemovalDecision | undefined {
  const existing = state && findDistribution(state, reference);
  if (state === undefined || existing === undefined) return undefined;
  const { refusal: _refusal, delay: _delay, ...rest } = existing.distribution;
  const removed = {
    path: distributionPath(reference),
    action: 'delete',
    description: `remove key "${reference.key}" from provider "${reference.provider}"; Keyfleet keeps the key`,
  } as const;
  return {
    existing,
    next: { ...rest, removing: true },
    changes: rest.removing ? retryChanges(state, existing) : [removed],
  };
}

/** What becomes of a refusal by asking again. */
export function retryChanges(
  { reference: { key } }: KeyState,
  { distribution: { provider, refusal } }: DistributionState,
): Change[] {
  if (refusal === undefined) return [];
  const path = distributionPath({ provider, key });
  return [{ path, action: 'update', description: `try again what the vault refused: ${refusal.reason}` }];
}

function mendChanges(
  { reference: { key } }: KeyState,
  { distribution: { provider, drift } }: DistributionState,
): Change[] {
  if (drift === undefined || drift === 'mend') return [];
  const path = distributionPath({ provider, key });
  return [{ path, action: 'update', description: 'mend what somebody changed in the vault and would be left alone' }];
}

/** Forgets what the vault refused, and has mended what would be left alone. @returns undefined if there is neither */
function tryAgain({ refusal, drift, ...rest }: Stored<DistributionRecord>): Stored<DistributionRecord> | undefined {
  if (refusal === undefined && drift === undefined) return undefined;
  return { ...rest, ...(drift && { drift: 'mend' }) };
}

export function findDistribution(state: KeyState, { provider }: DistributionReference): DistributionState | undefined {
  return state.distributions.find(({ distribution }) => distribution.provider === provider);
}

export function distributionPath({ provider, key }: Omit<DistributionReference, 'mount'>): string {
  return `kms/${provider}/key/${key}`;
}

/** @throws KeyfleetError `invalid_request` for a name that Key Vault can't hold */
function checkName(key: string): void {
  if (/^[0-9A-Za-z-]+$/.test(key) && key.length <= longestName) return;
  throw new KeyfleetError(
    'invalid_request',
    `key name ${JSON.stringify(key)} can't be distributed: Key Vault allows letters, digits and hyphens, and Keyfleet ` +
      `${longestName} characters of them (it appends the time)`,
  );
}

/** @throws KeyfleetError `conflict` if the key is distributed with other values, or on its way out */
function checkSame(
  { key, provider }: DistributionReference,
  existing: DistributionRecord,
  purpose: readonly string[],
  protection: string,
): void {
  const where = `key "${key}" at provider "${provider}"`;
  if (existing.removing) {
    throw new KeyfleetError('conflict', `${where} is being removed: distribute it again once that is done`);
  }
  if (existing.purpose.join() !== purpose.join() || existing.protection !== protection) {
    throw new KeyfleetError(
      'conflict',
      `${where} is distributed with purpose ${existing.purpose.join(',')} and protection ${existing.protection}, ` +
        "which can't be changed: remove it there first",
    );
  }
}
