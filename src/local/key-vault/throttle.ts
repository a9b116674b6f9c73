import { throttled } from './errors.ts';
import { isHsm, type KeyType, type KeyVersion } from './keys/key-version.ts';
import type { BudgetGroup, OperationRequest } from './operation.ts';
import { createSlidingBudget, type SlidingBudget } from './sliding-budget.ts';
import { serviceLimits, type ThrottleOptions, type VaultLimits } from './vault-limits.ts';
import type { Vault } from './vault.ts';

/** A subscription may do this many times what one of its vaults may. */
const subscriptionFactor = 5;
const windowMilliseconds = 10_000;
/** A budget is counted in whole fractions of itself, so that sums are exact. */
const wholeBudget = 3_600_000_000;

type Budget = 'createHsmKey' | 'createSoftwareKey' | 'useKey' | 'import' | 'other';

/**
 * Limits calls per vault, and over all vaults as those of one subscription. A call that is refused costs nothing.
 * @param ofAll for vaults that have no options of their own; undefined: they have no limits
 * @returns what charges one call. @throws KeyVaultError (that function) 429
 */
export function createThrottle(
  ofAll: ThrottleOptions | undefined,
  now: () => Date,
): (request: OperationRequest, group: BudgetGroup) => void {
  const subscription = new Map<Budget, SlidingBudget>();
  const vaults = new WeakMap<Vault, Map<Budget, SlidingBudget>>();
  const budgetIn = (budgets: Map<Budget, SlidingBudget>, budget: Budget, factor: number): SlidingBudget => {
    const existing = budgets.get(budget);
    if (existing) return existing;
    const created = createSlidingBudget(wholeBudget * factor, windowMilliseconds);
    budgets.set(budget, created);
    return created;
  };
  return (request, group) => {
    const options = request.vault.throttle ?? ofAll;
    if (!options) return;
    const limits = { ...serviceLimits, ...options.limits };
    const limit = limitOf(request, group);
    const budget: Budget = limit.startsWith('use') ? 'useKey' : (limit as Budget);
    const units = Math.floor(wholeBudget / limits[limit]);
    const at = now().getTime();
    const ofVault = vaults.get(request.vault) ?? new Map<Budget, SlidingBudget>();
    vaults.set(request.vault, ofVault);
    const vaultBudget = budgetIn(ofVault, budget, 1);
    const subscriptionBudget = budgetIn(subscription, budget, subscriptionFactor);
    if (!vaultBudget.fits(units, at)) throw throttled('VaultRequestTypeLimitReached', options.retryAfterSeconds);
    if (!subscriptionBudget.fits(units, at)) {
      throw throttled('SubscriptionRequestTypeLimitReached', options.retryAfterSeconds);
    }
    vaultBudget.spend(units, at);
    subscriptionBudget.spend(units, at);
  };
}

function limitOf({ vault, name, version, body }: OperationRequest, group: BudgetGroup): keyof VaultLimits {
  if (group === 'import' || group === 'other') return group;
  const object = vault.keys.find(name);
  if (group === 'create-key') {
    // A rotation has no body: it makes what the key is already.
    const kty = (body as { kty?: unknown } | undefined)?.kty ?? object?.newest.kty;
    return typeof kty === 'string' && isHsm(kty as KeyType) ? 'createHsmKey' : 'createSoftwareKey';
  }
  const used = version === '' ? object?.newest : object?.versions.get(version);
  return used ? useLimitOf(used) : 'other';
}

function useLimitOf({ kty, keySizeBits }: KeyVersion): keyof VaultLimits {
  const sizes = { 2048: 'Rsa2048', 3072: 'Rsa3072', 4096: 'Rsa4096' } as const;
  const kind = keySizeBits === undefined ? 'Ec' : sizes[keySizeBits as keyof typeof sizes];
  return isHsm(kty) ? `useHsm${kind}` : `useSoftware${kind}`;
}
