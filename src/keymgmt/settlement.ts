import { setTimeout as sleep } from 'node:timers/promises';
import { KeyfleetError } from '../errors.ts';
import { describeLeft } from '../reconcile/drift/findings.ts';
import { describeStep, nextStep } from '../reconcile/plan.ts';
import type { KeyReference, KeyState } from '../state/key-records.ts';
import type { KeyStore } from '../state/keys.ts';

/** What a change came to, as far as it could be waited for. */
export interface Outcome {
  /** What is still pending, in words for the caller; none if every vault agrees. */
  warnings: readonly string[];
}

export interface Settlement {
  /**
   * Waits until the vaults of `providers` agree with what should be true of the key, or the time is up.
   * @throws KeyfleetError `upstream_refused` if a vault said no
   */
  settle(reference: KeyReference, providers: readonly string[], options: { preferAsync: boolean }): Promise<Outcome>;
}

export interface SettlementOptions {
  keys: KeyStore;
  waitSeconds: number;
}

const firstPauseMilliseconds = 25;
const longestPauseMilliseconds = 250;

export function createSettlement({ keys, waitSeconds }: SettlementOptions): Settlement {
  return {
    async settle(reference, providers, { preferAsync }) {
      const deadline = performance.now() + (preferAsync ? 0 : waitSeconds * 1000);
      for (let pause = firstPauseMilliseconds; ; pause = Math.min(pause * 1.5, longestPauseMilliseconds)) {
        const status = inspect(await keys.read(reference), providers);
        const left = deadline - performance.now();
        const undecided = status.pending.length > 0 && left > 0;
        if (!undecided) {
          if (status.refused.length > 0) throw new KeyfleetError('upstream_refused', status.refused.join('; '));
          return { warnings: [...status.pending, ...status.left] };
        }
        await sleep(Math.min(pause, left));
      }
    },
  };
}

/** What the vaults of `providers` have refused, what they still lack, and what somebody did there and is left alone. */
export function inspect(
  state: KeyState | undefined,
  providers: readonly string[],
): { refused: readonly string[]; pending: readonly string[]; left: readonly string[] } {
  const refused: string[] = [];
  const pending: string[] = [];
  const left: string[] = [];
  for (const distribution of state?.distributions ?? []) {
    const { provider, refusal, delay } = distribution.distribution;
    if (state === undefined || !providers.includes(provider)) continue;
    const where = `kms/${provider}/key/${state.reference.key}`;
    for (const finding of describeLeft(state, distribution)) {
      left.push(
        `provider "${provider}": ${finding}. It is left as it is; write ${where} again to have it mended if it can be`,
      );
    }
    const step = nextStep(state, distribution);
    if (step === undefined) continue;
    if (refusal !== undefined) {
      const next =
        refusal.retryTime === undefined ? 'It is tried again on request' : 'It is tried again from time to time';
      refused.push(`${refusal.reason}. ${next}; read or delete ${where}`);
    } else {
      const why = delay === undefined ? '' : `: ${delay}`;
      pending.push(
        `provider "${provider}": ${describeStep(step)}${why}. Keyfleet goes on with it; read ${where} to see`,
      );
    }
  }
  return { refused, pending, left };
}
